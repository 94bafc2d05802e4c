SELECT r.*, e.slug, e.name AS event_name, e.starts_at, line.seats, line.sold, line.freed, line.returned, attempts.made, attempts.counted,
       --#include attempt_columns.sql
       , a.untold, a.tries, a.authorisation, a.idempotency_key AS sent_key, a.claimed_by, coalesce(a.deadline <= now(), false) AS past_deadline,
       coalesce(extract(epoch FROM now() - a.authorised_at), 0)::float8 AS key_age,
       r.until - now() AS time_left
FROM claimed a
JOIN reservations r ON r.id = a.reservation_id
JOIN events e ON e.id = r.event_id
--#include counted.sql
--#include lines.sql
