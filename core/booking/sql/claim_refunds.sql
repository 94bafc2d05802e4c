-- Refunds and voids that nobody works on and whose time has come, oldest first, those of one attempt one after the other.
-- $1 how many, at most  $2 claim token  $3 lease, seconds  $4 order, or NULL: of any  $5 also those whose time has not come
-- $6 accounts that this process has keys for (text[]), or NULL: all
WITH due AS (
    SELECT id FROM refunds d
    WHERE state = 'PENDING' AND next_attempt_at <= CASE WHEN $5::boolean THEN 'infinity'::timestamptz ELSE now() END
      AND ($4::text IS NULL OR order_no = $4)
      AND (claimed_until IS NULL OR claimed_until <= now())
      AND ($6::text[] IS NULL OR EXISTS (
          SELECT FROM payment_attempts a
          WHERE a.order_no = d.order_no AND a.provider || '/' || a.environment = ANY ($6::text[])
      ))
      AND NOT EXISTS (
          SELECT FROM refunds o WHERE o.order_no = d.order_no AND o.state = 'PENDING' AND o.number < d.number
      )
    ORDER BY next_attempt_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE refunds f
    SET claimed_by = $2, claimed_until = now() + make_interval(secs => $3::float8), tries = tries + 1
    FROM due WHERE f.id = due.id
    RETURNING f.*
)
SELECT c.*, a.provider, a.environment, a.amount AS charged, a.currency, e.name AS event_name,
       coalesce(c.provider_key, a.provider_key) AS key,
       (SELECT coalesce(sum(amount), 0)::bigint FROM refunds o
        WHERE o.order_no = c.order_no AND o.kind = 'refund' AND o.state = 'DONE') AS refunded_before
FROM claimed c
JOIN payment_attempts a ON a.order_no = c.order_no
JOIN reservations r ON r.id = c.reservation_id
JOIN events e ON e.id = r.event_id
