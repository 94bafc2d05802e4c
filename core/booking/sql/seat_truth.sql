-- What PostgreSQL says of seats that it refused.
-- $1 event id  $2 ordinals
SELECT ordinal, status FROM seats WHERE event_id = $1 AND ordinal = ANY ($2::int[]) ORDER BY ordinal
