-- One row of `TRANSITIONS` with all that belongs to it, or nothing: reservation, seats, attempt, what is owed, event.
-- $1 order of the current attempt  $2 status before  $3 status after  $4 reason  $5 ticket code  $6 seat status before
-- $7 after  $8 every seat must still be the reservation's own (boolean)  $9 attempt's states before (text[])  $10 after
-- $11 claim token that must be there, or NULL: nobody may be at work on it  $12 claim token afterwards  $13 lease, seconds
-- $14 provider's key  $15 code  $16 kind of what is owed, or NULL  $17 pause before that, seconds  $18 method
-- $19 approval number  $20 receipt's URL  $21 approved at  $22 the shop's fault (boolean)  $23 who asked for it
-- One row, or none: not in that state any more, or claimed by somebody else.
-- Every statement that ends an attempt locks in the same order: attempt, reservation, seats by ordinal.
WITH held AS MATERIALIZED (
    SELECT order_no, reservation_id FROM payment_attempts
    WHERE order_no = $1 AND state = ANY ($9::text[]) AND NOT superseded
      AND CASE WHEN $11::text IS NULL THEN claimed_until IS NULL OR claimed_until <= now() ELSE claimed_by = $11 END
    FOR UPDATE
), own AS MATERIALIZED (
    SELECT seat.event_id, seat.ordinal
    FROM held
    JOIN reservations r ON r.id = held.reservation_id AND r.status || '' = $2
    JOIN reservation_seats line ON line.reservation_id = r.id AND line.live
    JOIN seats seat ON seat.event_id = line.event_id AND seat.ordinal = line.ordinal
    WHERE seat.status = $6 AND seat.fence = r.fence
    ORDER BY seat.ordinal
    FOR UPDATE OF seat
), made AS (
    UPDATE reservations r SET status = $3, reason = $4, ticket_code = coalesce($5, ticket_code), updated_at = now()
    FROM held
    WHERE r.id = held.reservation_id AND r.status || '' = $2
      AND (NOT $8::boolean OR (SELECT count(*) FROM own) =
           (SELECT count(*) FROM reservation_seats WHERE reservation_id = r.id AND live))
    RETURNING r.*
), changed AS (
    -- A freed seat's fence moves on: nothing that was granted up to this reservation's hold is accepted again.
    UPDATE seats AS seat
    SET status = CASE WHEN $7 = 'AVAILABLE' AND made.offer_id IS NOT NULL THEN 'RETURNED' ELSE $7 END,
        fence = seat.fence + ($7 = 'AVAILABLE')::int, version = seat.version + 1, updated_at = now()
    FROM own, made
    WHERE seat.event_id = own.event_id AND seat.ordinal = own.ordinal
    RETURNING seat.ordinal, seat.version, seat.status, seat.price, seat.category, seat.zone, seat.row_label,
              seat.seat_number
), kept AS (
    -- Seats of the waiting list that were not paid for: offered to the next.
    UPDATE returned_seats AS k SET offer_id = NULL, free_at = NULL
    FROM made
    WHERE k.offer_id = made.offer_id AND k.ordinal IN (SELECT ordinal FROM changed WHERE status = 'RETURNED')
), gone AS (
    DELETE FROM returned_seats AS k USING made
    WHERE k.offer_id = made.offer_id AND k.ordinal NOT IN (SELECT ordinal FROM changed WHERE status = 'RETURNED')
), lines AS (
    UPDATE reservation_seats AS line SET live = false
    FROM made WHERE line.reservation_id = made.id AND $7 = 'AVAILABLE'
), a AS (
    UPDATE payment_attempts p
    SET state = $10, provider_key = coalesce($14, p.provider_key), code = $15, method = coalesce($18, p.method),
        approval_number = coalesce($19, p.approval_number), receipt_url = coalesce($20, p.receipt_url),
        approved_at = CASE WHEN $10 = 'APPROVED' THEN coalesce(p.approved_at, $21, now()) ELSE p.approved_at END,
        shops_fault = p.shops_fault OR $22::boolean,
        faulted_at = CASE WHEN $22::boolean THEN now() WHEN starts_with($15, 'window:') THEN coalesce(p.faulted_at, now())
                          ELSE p.faulted_at END,
        claimed_by = $12, claimed_until = now() + make_interval(secs => $13::float8), next_attempt_at = now(), tries = 0,
        untold = true, retry_until = NULL, updated_at = now()
    FROM made WHERE p.order_no = $1
    RETURNING p.*
), owed AS (
    INSERT INTO refunds (order_no, reservation_id, kind, cause, provider_key, reason, asked_by, next_attempt_at)
    SELECT order_no, reservation_id, $16, 'owed', provider_key, $4, $23, now() + make_interval(secs => $17::float8) FROM a
    WHERE $16::text IS NOT NULL AND provider <> 'none'
    ON CONFLICT (order_no, cause) DO NOTHING
), sale AS (
    SELECT id, slug, name, starts_at FROM events WHERE id = (SELECT event_id FROM made)
), event AS (
    INSERT INTO outbox (reservation_id, type, payload)
    SELECT made.id, 'reservation.' || lower(made.status),
    --#include payload.sql
    FROM made, sale, (
        --#include seats_json.sql
        FROM changed
    ) AS changes
)
SELECT made.*, sale.slug, sale.name AS event_name, sale.starts_at,
       --#include attempt_columns.sql
       , a.untold, a.tries, a.authorisation, a.idempotency_key AS sent_key, a.claimed_by, false AS past_deadline, 0::float8 AS key_age,
       made.until - now() AS time_left, 3 AS made, 3 AS counted,
       (SELECT array_agg(ordinal ORDER BY ordinal) FROM reservation_seats WHERE reservation_id = made.id
            AND (live OR $7 = 'AVAILABLE')) AS seats,
       (SELECT array_agg(ordinal ORDER BY ordinal) FROM changed WHERE status = 'SOLD') AS sold,
       (SELECT array_agg(ordinal ORDER BY ordinal) FROM changed WHERE status = 'AVAILABLE') AS freed,
       (SELECT array_agg(ordinal ORDER BY ordinal) FROM changed WHERE status = 'RETURNED') AS returned
FROM made, sale, a
