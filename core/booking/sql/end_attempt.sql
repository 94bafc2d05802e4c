-- An attempt is over, the reservation stays PAYING for another one. What is owed is written with it.
-- $1 order  $2 states before (text[])  $3 state after  $4 claim token that must be there, or NULL: nobody is at work on it
-- $5 reason  $6 code; `window:` before it: by the word of the buyer's browser it is the shop's to mend
-- $7 the shop's fault (boolean)  $8 the seats are kept until this moment  $9 kind of what is owed, or NULL
-- $10 provider's key, or NULL: as it is
-- One row, or none: not in that state any more, or claimed by somebody else.
WITH held AS MATERIALIZED (
    SELECT order_no FROM payment_attempts
    WHERE order_no = $1 AND state = ANY ($2::text[]) AND NOT superseded
      AND CASE WHEN $4::text IS NULL THEN claimed_until IS NULL OR claimed_until <= now() ELSE claimed_by = $4 END
    FOR UPDATE
), made AS (
    UPDATE reservations r SET reason = $5, updated_at = now()
    FROM payment_attempts p, held
    WHERE p.order_no = held.order_no AND r.id = p.reservation_id AND r.status || '' = 'PAYING'
    RETURNING r.id
), ended AS (
    UPDATE payment_attempts p
    SET state = $3, code = $6, shops_fault = $7::boolean,
        faulted_at = CASE WHEN $7::boolean OR starts_with($6, 'window:') THEN now() ELSE faulted_at END,
        retry_until = $8, next_attempt_at = $8, tries = 0, provider_key = coalesce($10, p.provider_key),
        claimed_by = NULL, claimed_until = NULL, updated_at = now()
    FROM made WHERE p.order_no = $1
    RETURNING p.*
), owed AS (
    INSERT INTO refunds (order_no, reservation_id, kind, cause, provider_key, reason, asked_by)
    SELECT order_no, reservation_id, $9, 'owed', provider_key, $5, 'system' FROM ended
    WHERE $9::text IS NOT NULL AND provider <> 'none'
    ON CONFLICT (order_no, cause) DO NOTHING
)
SELECT order_no FROM ended
