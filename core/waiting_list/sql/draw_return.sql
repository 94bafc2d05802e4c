-- When seats that nobody wishes for (any more) are on the map again: each at a random moment of its own.
-- $1 event  $2 ordinals  $3 up to so many seconds from now; NULL: somebody wishes for them, no moment
UPDATE returned_seats SET free_at = now() + make_interval(secs => random() * $3::float8)
WHERE event_id = $1 AND ordinal = ANY ($2::int[])
