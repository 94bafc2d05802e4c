-- Offers that nobody was written to about yet, oldest first; they are this process's for a while.
-- $1 offers, at most  $2 for so long, seconds
WITH due AS (
    SELECT id FROM offers
    WHERE state = 'OPEN' AND mailed_at IS NULL AND until > now() AND (mailing_until IS NULL OR mailing_until <= now())
    ORDER BY made_at LIMIT $1
    FOR UPDATE SKIP LOCKED
), mine AS (
    UPDATE offers o SET mailing_until = now() + make_interval(secs => $2::float8) FROM due WHERE o.id = due.id
    RETURNING o.*
)
SELECT mine.id, mine.wish_id, mine.made_at, mine.until, w.email, w.language, e.name AS event_name, e.time_zone,
       e.currency, e.starts_at, e.venue, e.address, seat.names, seat.amount
FROM mine
JOIN wishes w ON w.id = mine.wish_id
JOIN events e ON e.id = mine.event_id
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_array(s.zone, s.row_label, s.seat_number, s.category) ORDER BY s.ordinal) AS names,
           coalesce(sum(s.price), 0)::bigint AS amount
    FROM seats s WHERE s.event_id = mine.event_id AND s.ordinal = ANY (mine.ordinals)
) AS seat
ORDER BY mine.made_at
