-- Seats are kept for a wish.
-- $1 offer  $2 event  $3 wish  $4 ordinals (int[], ascending)  $5 for how long, seconds
-- One row: whose wish it is.
WITH offer AS (
    INSERT INTO offers (id, event_id, wish_id, ordinals, until)
    VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5::float8))
    RETURNING id
), kept AS (
    UPDATE returned_seats k SET offer_id = offer.id, free_at = NULL
    FROM offer WHERE k.event_id = $2 AND k.ordinal = ANY ($4::int[])
)
UPDATE wishes SET state = 'OFFERED' WHERE id = $3 RETURNING visitor
