-- A difference is written down, once: seen again, it is brought up to date; one that had ended and is there again is open
-- and new - unless the list that it was read from is older than its end.
-- $1 provider  $2 environment  $3 order  $4 provider's key  $5 kind  $6 reservation, or NULL  $7 currency
-- $8 amount there  $9 left there  $10 amount here  $11 left here  $12 charged at  $13 when the list was begun to be read
-- One row: whether it is new; none: it ended meanwhile.
INSERT INTO payment_findings AS f (provider, environment, order_no, provider_key, kind, reservation_id, currency,
                                   amount_there, left_there, amount_here, left_here, charged_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (provider, order_no, provider_key, kind) DO UPDATE
SET environment = excluded.environment, reservation_id = excluded.reservation_id, currency = excluded.currency,
    amount_there = excluded.amount_there, left_there = excluded.left_there, amount_here = excluded.amount_here,
    left_here = excluded.left_here, seen_at = now(), state = 'OPEN', ended_at = NULL, ended_by = NULL,
    found_at = CASE WHEN f.state = 'OPEN' THEN f.found_at ELSE now() END
WHERE f.state = 'OPEN' OR f.ended_at < $13
RETURNING found_at = now() AS new
