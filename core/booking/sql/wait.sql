-- The attempt waits for its next try, and the reservation says why. The claim is given back.
-- $1 order  $2 claim token  $3 state  $4 reason  $5 pause, seconds  $6 code  $7 the shop has something to mend (boolean)
-- Never waits beyond its deadline: at that moment it must be ended.
WITH held AS (
    UPDATE payment_attempts
    SET state = $3, code = $6, faulted_at = CASE WHEN $7::boolean THEN now() ELSE faulted_at END,
        next_attempt_at = CASE WHEN deadline > now() THEN least(deadline, now() + make_interval(secs => $5::float8))
                               ELSE now() + make_interval(secs => $5::float8) END,
        claimed_by = NULL, claimed_until = NULL, updated_at = now()
    WHERE order_no = $1 AND claimed_by = $2 AND state IN ('AUTHORISED', 'CALLED')
    RETURNING reservation_id
)
UPDATE reservations SET reason = $4, updated_at = now()
FROM held WHERE id = held.reservation_id AND status || '' = 'PAYING'
RETURNING id
