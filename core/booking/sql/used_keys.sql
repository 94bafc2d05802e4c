-- Which of these have made a reservation: nearly all keys are new, which the index alone tells.
-- $1 visitors (text[])  $2 event ids (bigint[])  $3 idempotency keys (text[])
-- `n`: for which of them a row is.
SELECT asked.n
FROM unnest($1::text[], $2::bigint[], $3::text[]) WITH ORDINALITY AS asked (visitor, event_id, key, n)
CROSS JOIN LATERAL (
    -- One by one, and by the visitor: see bind.sql.
    SELECT FROM reservations r
    WHERE r.visitor = asked.visitor AND r.event_id + 0 = asked.event_id AND r.idempotency_key = asked.key
    LIMIT 1
) AS made
