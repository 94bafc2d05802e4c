-- The payment waits for its next attempt, and the reservation says why. The claim is given back.
-- $1 reservation id  $2 claim token  $3 payment status  $4 reason  $5 pause, seconds  $6 error code
-- Never waits beyond its deadline: at that moment it must be ended.
WITH held AS (
    UPDATE payments
    SET status = $3, provider = CASE WHEN $3 = 'NEW' THEN NULL ELSE provider END, error_code = $6,
        next_attempt_at = CASE WHEN deadline > now() THEN least(deadline, now() + make_interval(secs => $5::float8))
                               ELSE now() + make_interval(secs => $5::float8) END,
        claimed_by = NULL, claimed_until = NULL, updated_at = now()
    WHERE reservation_id = $1 AND claimed_by = $2 AND status IN ('NEW', 'CALLED')
    RETURNING reservation_id
)
UPDATE reservations SET reason = $4, updated_at = now()
FROM held WHERE id = held.reservation_id AND status = 'PAYING'
RETURNING id
