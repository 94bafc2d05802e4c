-- Reservations with their event and seats; a condition follows.
SELECT r.*, e.slug, e.name AS event_name, e.starts_at,
       (SELECT array_agg(ordinal ORDER BY ordinal) FROM reservation_seats WHERE reservation_id = r.id) AS seats
FROM reservations r JOIN events e ON e.id = r.event_id
