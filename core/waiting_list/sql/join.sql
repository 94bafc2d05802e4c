-- A place at the end of the list.
-- $1 id  $2 event  $3 visitor  $4 e-mail  $5 the address's key  $6 language  $7 network  $8 seats  $9 category, or NULL
-- $10 live places of one network, at most, or NULL: any number
-- One row, or none: the visitor has a place, or the network has all of its own.
INSERT INTO wishes (id, event_id, visitor, email, address_key, language, network, seats, category)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
WHERE $10::int IS NULL OR (
    SELECT count(*) FROM wishes WHERE event_id = $2 AND network = $7 AND state IN ('WAITING', 'OFFERED')
) < $10::int
ON CONFLICT (event_id, visitor) WHERE state IN ('WAITING', 'OFFERED') DO NOTHING
RETURNING id
