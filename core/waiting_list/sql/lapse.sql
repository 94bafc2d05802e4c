-- Offers whose time is over: their wishes are over too, and the seats wait for the next.
-- $1 event
-- Rows: the visitors who had them. One that is being taken at this moment is left for the next round.
WITH offer AS MATERIALIZED (
    SELECT id, wish_id FROM offers WHERE event_id = $1 AND state = 'OPEN' AND until <= now() ORDER BY id
    FOR UPDATE SKIP LOCKED
), wish AS (
    UPDATE wishes w SET state = 'LAPSED', ended_at = now() FROM offer WHERE w.id = offer.wish_id RETURNING w.visitor
), ended AS (
    UPDATE offers o SET state = 'LAPSED', ended_at = now() FROM offer WHERE o.id = offer.id RETURNING o.id
), kept AS (
    UPDATE returned_seats k SET offer_id = NULL, free_at = NULL FROM ended WHERE k.offer_id = ended.id
)
SELECT visitor FROM wish
