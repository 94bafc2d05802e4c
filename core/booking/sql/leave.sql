-- Gives the claim of an ended attempt back; nothing when it was lost.
-- $1 order  $2 claim token  $3 Redis and the browser have been told (boolean)  $4 pause before they are, seconds
UPDATE payment_attempts
SET untold = untold AND NOT $3, claimed_by = NULL, claimed_until = NULL,
    next_attempt_at = CASE WHEN $3 OR NOT untold THEN 'infinity'::timestamptz
                           ELSE now() + make_interval(secs => $4::float8) END
WHERE order_no = $1 AND claimed_by = $2
RETURNING order_no
