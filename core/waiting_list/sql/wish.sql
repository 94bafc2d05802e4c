-- Wishes with their last offers, and what those were taken by; a condition follows.
SELECT w.*, o.id AS offer_id, o.ordinals, o.state AS offer_state, o.phase AS offer_phase, o.until, coalesce(o.until <= now(), false) AS over,
       (SELECT coalesce(sum(price), 0)::bigint FROM seats s WHERE s.event_id = w.event_id AND s.ordinal = ANY (o.ordinals))
           AS amount,
       r.id AS reservation_id, r.visitor AS taker,
       CASE WHEN w.state IN ('WAITING', 'OFFERED') THEN (
           SELECT count(*) FROM wishes b
           WHERE b.event_id = w.event_id AND b.number < w.number AND b.state IN ('WAITING', 'OFFERED')
       ) ELSE 0 END AS ahead
FROM wishes w
LEFT JOIN LATERAL (SELECT * FROM offers WHERE wish_id = w.id ORDER BY made_at DESC LIMIT 1) AS o ON true
LEFT JOIN reservations r ON r.offer_id = o.id AND o.state = 'TAKEN'
