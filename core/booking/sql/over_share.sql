-- Whether so many seats more are too many for the buyer, as things stand.
-- $1 event id  $2 visitor, or NULL: the address alone  $3 the address's key  $4 seats more  $5 states of an attempt that
-- count for the address (text[])  $6 a reservation that does not count, or NULL  $7 the phase, or NULL
-- One row: `max`, seats of one buyer; none: they are not too many.
SELECT most AS max
FROM events,
     LATERAL (SELECT least(max_seats, (SELECT p.max_seats FROM phases p WHERE p.event_id = $1 AND p.name = $7)) AS most)
WHERE id = $1
  AND ($2::text IS NOT NULL AND seats_of_visitor($1, $2) + $4::int > most
       OR seats_of_address($1, $3, $5::text[], $6::uuid) + $4::int > most)
