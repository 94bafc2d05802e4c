CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(l.ordinal ORDER BY l.ordinal) FILTER (WHERE l.live), array_agg(l.ordinal ORDER BY l.ordinal))
               AS seats,
           -- What the board must show is what PostgreSQL says now, not what it said when the reservation ended.
           array_agg(l.ordinal ORDER BY l.ordinal) FILTER (
               WHERE l.live AND r.status = 'CONFIRMED' AND s.status = 'SOLD' AND s.fence = r.fence) AS sold,
           array_agg(l.ordinal ORDER BY l.ordinal) FILTER (
               WHERE NOT l.live AND s.status = 'AVAILABLE' AND s.fence = r.fence + 1) AS freed,
           -- Kept for the waiting list, or for a while: the board shows them as sold.
           array_agg(l.ordinal ORDER BY l.ordinal) FILTER (
               WHERE NOT l.live AND s.status = 'RETURNED' AND s.fence = r.fence + 1) AS returned
    FROM reservation_seats l
    -- One by one: a join would read the whole hall of a small one.
    CROSS JOIN LATERAL (SELECT status, fence FROM seats WHERE event_id = l.event_id AND ordinal = l.ordinal OFFSET 0) AS s
    WHERE l.reservation_id = r.id
) AS line
