SELECT r.*, e.slug, e.name AS event_name, c.status AS payment_status, c.provider, c.provider_key, c.attempts, c.untold,
       c.needs_person_at IS NOT NULL AS needs_person, c.deadline <= now() AS past_deadline, line.seats, line.settled
FROM claimed c
JOIN reservations r ON r.id = c.reservation_id
JOIN events e ON e.id = r.event_id
CROSS JOIN LATERAL (
    -- `settled`: what the board must show is what PostgreSQL says now, not what it said when the reservation ended.
    SELECT array_agg(l.ordinal ORDER BY l.ordinal) AS seats,
           array_agg(l.ordinal ORDER BY l.ordinal) FILTER (
               WHERE (r.status = 'CONFIRMED' AND s.status = 'SOLD' AND s.fence = r.fence)
                  OR (r.status IN ('FAILED', 'CANCELLED') AND s.status = 'AVAILABLE' AND s.fence = r.fence + 1)
           ) AS settled
    FROM reservation_seats l JOIN seats s ON s.event_id = l.event_id AND s.ordinal = l.ordinal
    WHERE l.reservation_id = r.id
) AS line
