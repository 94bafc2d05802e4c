-- A new lease.
-- $1 refund  $2 claim token  $3 lease, seconds
UPDATE refunds SET claimed_until = now() + make_interval(secs => $3::float8) WHERE id = $1 AND claimed_by = $2
RETURNING id
