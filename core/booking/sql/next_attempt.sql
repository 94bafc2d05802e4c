-- The next attempt takes the place of one that is closed or declined.
-- $1 order of the last  $2 order of the next  $3 provider  $4 environment  $5 no new one in so many last seconds
-- $6 attempts that count, at most  $7 of all kinds, at most  $8 grace after the time to pay, seconds
-- One row, or none: the last is not over (any more), its time is, or there were enough.
WITH held AS MATERIALIZED (
    SELECT * FROM payment_attempts
    WHERE order_no = $1 AND state IN ('CLOSED', 'DECLINED') AND NOT superseded AND retry_until > now()
      AND (claimed_until IS NULL OR claimed_until <= now())
    FOR UPDATE
), made AS (
    UPDATE reservations r SET reason = NULL, updated_at = now()
    FROM held
    WHERE r.id = held.reservation_id AND r.status || '' = 'PAYING' AND r.until > now() + make_interval(secs => $5::float8)
      AND (SELECT count(*) FILTER (WHERE NOT shops_fault) FROM payment_attempts WHERE reservation_id = r.id) < $6
      AND (SELECT count(*) FROM payment_attempts WHERE reservation_id = r.id) < $7
    RETURNING r.id, r.until
), last AS (
    UPDATE payment_attempts p SET superseded = true, next_attempt_at = 'infinity', updated_at = now()
    FROM made WHERE p.order_no = $1
)
INSERT INTO payment_attempts (order_no, reservation_id, number, provider, environment, amount, currency, state,
                              next_attempt_at)
SELECT $2, held.reservation_id, held.number + 1, $3, $4, held.amount, held.currency, 'OPEN',
       made.until + make_interval(secs => $8::float8)
FROM held, made
RETURNING order_no
