-- Seats are kept for a wish, and count in the phase from now on.
-- $1 offer  $2 event  $3 wish  $4 ordinals (int[], ascending)  $5 for how long, seconds  $6 the phase, or NULL
-- One row: whose wish it is. None: the phase may not sell so many more.
WITH offer AS (
    INSERT INTO offers (id, event_id, wish_id, ordinals, until, phase)
    SELECT $1, $2, $3, $4, now() + make_interval(secs => $5::float8), $6
    WHERE $6::text IS NULL OR phase_takes($2, $6, cardinality($4::int[]), NULL)
    RETURNING id, wish_id
), kept AS (
    UPDATE returned_seats k SET offer_id = offer.id, free_at = NULL
    FROM offer WHERE k.event_id = $2 AND k.ordinal = ANY ($4::int[])
)
UPDATE wishes SET state = 'OFFERED' FROM offer WHERE wishes.id = offer.wish_id RETURNING visitor
