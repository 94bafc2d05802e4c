-- Wishes that so many seats of these categories could meet, in the order of joining. Left out: whose address has an offer
-- already, or had `$7` in a day, whom an operator keeps out, and who may have no more seats (F3).
-- A return is offered to one visitor and one address once: who leaves and joins anew gets neither its mails again, nor
-- the seat kept from others.
-- $1 event  $2 seats for a wish of any category  $3 categories (text[])  $6 how many seats of each (int[])
-- $4 seats of one buyer, at most  $5 wishes, at most  $7 offers to one address in a day, at most
SELECT w.id, w.seats, w.category, w.address_key, w.passed || ARRAY(
    SELECT k.id FROM wishes b
    JOIN offers o ON o.wish_id = b.id AND o.state <> 'OPEN'
    JOIN returned_seats k ON k.event_id = o.event_id AND k.ordinal = ANY (o.ordinals) AND k.returned_at <= o.made_at
    WHERE b.event_id = $1 AND (b.visitor = w.visitor OR b.address_key = w.address_key)
) AS passed
FROM wishes w
WHERE w.event_id = $1 AND w.state = 'WAITING'
  AND w.seats <= CASE WHEN w.category IS NULL THEN $2 ELSE ($6::int[])[array_position($3::text[], w.category)] END
  AND (
      SELECT count(*) FROM wishes b JOIN offers o ON o.wish_id = b.id AND o.made_at > now() - interval '1 day'
      WHERE b.event_id = $1 AND b.address_key = w.address_key
  ) < $7
  AND NOT EXISTS (
      SELECT FROM offers o JOIN wishes b ON b.id = o.wish_id
      WHERE o.event_id = $1 AND o.state = 'OPEN' AND b.address_key = w.address_key
  )
  AND NOT EXISTS (
      SELECT FROM removals x
      WHERE x.event_id = $1 AND x.ended_at IS NULL AND x.until > now() AND x.visitor = w.visitor
  )
  AND w.seats + (
      SELECT count(*) FROM reservations r JOIN reservation_seats l ON l.reservation_id = r.id AND l.live
      WHERE r.event_id = $1 AND r.status IN ('PAYING', 'CONFIRMED') AND r.visitor = w.visitor
  ) <= $4
  AND w.seats + (
      SELECT count(*) FROM reservations r JOIN reservation_seats l ON l.reservation_id = r.id AND l.live
      WHERE r.event_id = $1 AND r.status = 'CONFIRMED' AND r.address_key = w.address_key
  ) <= $4
ORDER BY w.number
LIMIT $5
FOR UPDATE OF w SKIP LOCKED
