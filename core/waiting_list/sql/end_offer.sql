-- A wish leaves the list, or passes on its offer and stays. What it was offered goes to the next.
-- $1 wish  $2 the offer that is passed on, or NULL: whichever is open, and the wish leaves  $3 state of the wish after
-- One row: the wish; none: it is over, or that offer is.
-- Whatever ends an offer locks in this order: offer, wish, returned seats.
WITH offer AS MATERIALIZED (
    SELECT id FROM offers WHERE wish_id = $1 AND state = 'OPEN' AND ($2::uuid IS NULL OR id = $2) FOR UPDATE
), changed AS (
    UPDATE wishes w
    SET state = $3, ended_at = CASE WHEN $3 = 'LEFT' THEN now() END,
        passed = CASE WHEN $3 = 'LEFT' THEN w.passed ELSE w.passed || ARRAY(
            SELECT k.id FROM returned_seats k JOIN offer ON k.offer_id = offer.id
        ) END
    WHERE w.id = $1 AND w.state IN ('WAITING', 'OFFERED') AND ($2::uuid IS NULL OR EXISTS (SELECT FROM offer))
    RETURNING w.*
), ended AS (
    UPDATE offers o SET state = 'PASSED', ended_at = now()
    FROM offer, changed WHERE o.id = offer.id
    RETURNING o.id
), kept AS (
    UPDATE returned_seats k SET offer_id = NULL, free_at = NULL FROM ended WHERE k.offer_id = ended.id
)
SELECT id, event_id FROM changed
