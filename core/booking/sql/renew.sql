-- A new lease, before the provider is asked again.
-- $1 reservation id  $2 claim token  $3 lease, seconds
-- One row, or none: the claim was lost.
UPDATE payments SET claimed_until = now() + make_interval(secs => $3::float8)
WHERE reservation_id = $1 AND claimed_by = $2
RETURNING reservation_id
