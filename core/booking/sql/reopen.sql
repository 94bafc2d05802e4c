-- The key was not this order's: the attempt waits for the genuine return, and remembers the key.
-- $1 order  $2 claim token  $3 code  $4 the shop may have something to mend (boolean)  $5 grace after the time to pay, s
-- One row, or none: the claim was lost.
WITH held AS (
    UPDATE payment_attempts p
    SET state = 'OPEN', refused_keys = array_append(p.refused_keys, p.provider_key), provider_key = NULL,
        authorisation = NULL, authorised_at = NULL, deadline = NULL, code = $3, faulted_at = now(), tries = 0,
        shops_fault = p.shops_fault OR $4::boolean, claimed_by = NULL, claimed_until = NULL,
        next_attempt_at = r.until + make_interval(secs => $5::float8), updated_at = now()
    FROM reservations r
    WHERE p.order_no = $1 AND p.claimed_by = $2 AND p.state = 'CALLED' AND r.id = p.reservation_id
    RETURNING p.reservation_id
)
UPDATE reservations SET reason = NULL, updated_at = now()
FROM held WHERE id = held.reservation_id AND status || '' = 'PAYING'
RETURNING id
