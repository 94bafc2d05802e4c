-- What is owed back for a reservation, for operators: how many refunds, and the oldest of them.
-- $1 reservation id
SELECT r.id, a.provider, f.code, coalesce(f.tries, 0) AS tries, f.needs_person_at, f.claimed_until > now() AS busy,
       nullif(f.next_attempt_at, 'infinity') AS next_try_at,
       (SELECT count(*) FROM refunds WHERE reservation_id = $1 AND state = 'PENDING') AS owed
FROM reservations r
LEFT JOIN LATERAL (
    SELECT * FROM payment_attempts WHERE reservation_id = r.id ORDER BY number DESC LIMIT 1
) AS a ON true
LEFT JOIN LATERAL (
    SELECT * FROM refunds WHERE reservation_id = r.id AND state = 'PENDING' ORDER BY number LIMIT 1
) AS f ON true
WHERE r.id = $1
