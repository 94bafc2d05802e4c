-- Notes that the time for which an event's clock stood is given, so that it is given once (R4).
-- $1 event  $2 when it went on
-- One row, or none: it was given before.
UPDATE events SET time_given_until = $2
WHERE id = $1 AND (time_given_until IS NULL OR time_given_until < $2)
RETURNING id
