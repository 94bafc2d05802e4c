-- Reservations with their event, their seats (those that are left, while there are any) and their current attempt; a
-- condition follows.
SELECT r.*, e.slug, e.name AS event_name, e.starts_at, line.seats, attempts.made, attempts.counted,
       --#include attempt_columns.sql
FROM reservations r
JOIN events e ON e.id = r.event_id
LEFT JOIN LATERAL (
    SELECT * FROM payment_attempts WHERE reservation_id = r.id ORDER BY number DESC LIMIT 1
) AS a ON true
--#include counted.sql
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(ordinal ORDER BY ordinal) FILTER (WHERE live), array_agg(ordinal ORDER BY ordinal)) AS seats
    FROM reservation_seats WHERE reservation_id = r.id
) AS line
