-- Seats that were given back and are in no offer. Wanted by nobody who had it in an offer, by whichever place in the list
-- (candidates.sql).
-- $1 event  $2 seconds for which seats that no wish can take alone are kept for a larger one  $3 rows, at most
SELECT k.id, k.ordinal, s.category, k.free_at IS NULL AS undrawn, coalesce(k.free_at <= now(), false) AS due,
       k.returned_at + make_interval(secs => $2::float8) > now() AS fresh,
       EXISTS (SELECT FROM wishes w WHERE w.event_id = $1 AND w.state = 'WAITING' AND w.category IS NULL
                   AND k.id <> ALL (w.passed) AND NOT EXISTS (
                       SELECT FROM wishes b JOIN offers o ON o.wish_id = b.id AND o.state <> 'OPEN'
                       WHERE b.event_id = $1 AND (b.visitor = w.visitor OR b.address_key = w.address_key)
                         AND k.ordinal = ANY (o.ordinals) AND k.returned_at <= o.made_at)) AS wanted_by_any,
       EXISTS (SELECT FROM wishes w WHERE w.event_id = $1 AND w.state = 'WAITING' AND w.category = s.category
                   AND k.id <> ALL (w.passed) AND NOT EXISTS (
                       SELECT FROM wishes b JOIN offers o ON o.wish_id = b.id AND o.state <> 'OPEN'
                       WHERE b.event_id = $1 AND (b.visitor = w.visitor OR b.address_key = w.address_key)
                         AND k.ordinal = ANY (o.ordinals) AND k.returned_at <= o.made_at)) AS wanted_by_name
FROM returned_seats k JOIN seats s ON s.event_id = k.event_id AND s.ordinal = k.ordinal
WHERE k.event_id = $1 AND k.offer_id IS NULL AND NOT k.freed AND s.status = 'RETURNED'
ORDER BY k.ordinal
LIMIT $3
FOR UPDATE OF k
