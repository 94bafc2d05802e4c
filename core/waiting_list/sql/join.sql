-- A place at the end of the list.
-- $1 id  $2 event  $3 visitor  $4 e-mail  $5 the address's key  $6 language  $7 network  $8 seats  $9 category, or NULL
-- $10 live places of one network, at most, or NULL: any number  $11 seats that one buyer may have
-- One row: the visitor, what the visitor has bought or is paying for, and the place; without one where both are more than
-- a buyer may have, the visitor has a place, or the network has all of its own.
WITH had AS MATERIALIZED (
    SELECT count(*) AS bought FROM reservations r JOIN reservation_seats l ON l.reservation_id = r.id AND l.live
    WHERE r.event_id = $2 AND r.visitor = $3 AND r.status IN ('PAYING', 'CONFIRMED')
), made AS (
    INSERT INTO wishes (id, event_id, visitor, email, address_key, language, network, seats, category)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8::int, $9 FROM had
    WHERE had.bought + $8::int <= $11::int AND ($10::int IS NULL OR (
        SELECT count(*) FROM wishes WHERE event_id = $2 AND network = $7 AND state IN ('WAITING', 'OFFERED')
    ) < $10::int)
    ON CONFLICT (event_id, visitor) WHERE state IN ('WAITING', 'OFFERED') DO NOTHING
    RETURNING id, number, joined_at
)
SELECT $3::text AS visitor, had.bought, made.id, made.joined_at, (
    SELECT count(*) FROM wishes b
    WHERE b.event_id = $2 AND b.number < made.number AND b.state IN ('WAITING', 'OFFERED')
) AS ahead
FROM had LEFT JOIN made ON true
