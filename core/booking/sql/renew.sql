-- A new lease, before the provider is asked again.
-- $1 order  $2 claim token  $3 lease, seconds
-- One row, or none: the claim was lost.
UPDATE payment_attempts SET claimed_until = now() + make_interval(secs => $3::float8)
WHERE order_no = $1 AND claimed_by = $2
RETURNING order_no
