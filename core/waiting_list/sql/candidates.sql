-- Wishes that so many seats of these categories could meet, in the order of joining. Left out: whose address has an offer
-- already, whom an operator keeps out, and who may have no more seats (F3).
-- $1 event  $2 seats there are  $3 their categories (text[])  $4 seats of one buyer, at most  $5 wishes, at most
SELECT w.id, w.seats, w.category, w.address_key, w.passed
FROM wishes w
WHERE w.event_id = $1 AND w.state = 'WAITING' AND w.seats <= $2 AND (w.category IS NULL OR w.category = ANY ($3::text[]))
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
