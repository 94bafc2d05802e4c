-- One row of `TRANSITIONS` with all that belongs to it, or nothing: reservation, seats, payment, event.
-- $1 reservation id  $2 status before  $3 status after  $4 reason  $5 ticket code  $6 seat status before  $7 after
-- $8 every seat must still be the reservation's own (boolean)  $9 payment statuses before (text[])  $10 after
-- $11 claim token that must be there, or NULL: nobody may be at work on it  $12 claim token afterwards  $13 lease, seconds
-- $14 provider  $15 provider's key  $16 error code  $17 pause before the payment's next attempt, seconds
-- One row, or none: not in that state any more, or claimed by somebody else.
-- Every statement that ends a payment locks in the same order: payment, reservation, seats by ordinal.
WITH held AS MATERIALIZED (
    SELECT reservation_id FROM payments
    WHERE reservation_id = $1 AND status = ANY ($9::text[]) 
      AND CASE WHEN $11::text IS NULL THEN claimed_until IS NULL OR claimed_until <= now() ELSE claimed_by = $11 END
    FOR UPDATE
), own AS MATERIALIZED (
    SELECT seat.event_id, seat.ordinal
    FROM held
    JOIN reservations r ON r.id = held.reservation_id AND r.status = $2
    JOIN reservation_seats line ON line.reservation_id = r.id AND line.live
    JOIN seats seat ON seat.event_id = line.event_id AND seat.ordinal = line.ordinal
    WHERE seat.status = $6 AND seat.fence = r.fence
    ORDER BY seat.ordinal
    FOR UPDATE OF seat
), made AS (
    UPDATE reservations SET status = $3, reason = $4, ticket_code = coalesce($5, ticket_code), updated_at = now()
    WHERE id = $1 AND status = $2 AND EXISTS (SELECT FROM held)
      AND (NOT $8::boolean OR (SELECT count(*) FROM own) =
           (SELECT count(*) FROM reservation_seats WHERE reservation_id = $1 AND live))
    RETURNING *
), changed AS (
    -- A freed seat's fence moves on: nothing that was granted up to this reservation's hold is accepted again.
    UPDATE seats AS seat
    SET status = $7, fence = seat.fence + ($7 = 'AVAILABLE')::int, version = seat.version + 1, updated_at = now()
    FROM own, made
    WHERE seat.event_id = own.event_id AND seat.ordinal = own.ordinal
    RETURNING seat.ordinal, seat.version, seat.status, seat.price, seat.category, seat.zone, seat.row_label,
              seat.seat_number
), lines AS (
    UPDATE reservation_seats AS line SET live = false
    FROM made WHERE line.reservation_id = made.id AND $7 = 'AVAILABLE'
), payment AS (
    UPDATE payments
    SET status = $10, provider = coalesce($14, provider), provider_key = coalesce($15, provider_key),
        error_code = $16, claimed_by = $12, claimed_until = now() + make_interval(secs => $13::float8),
        next_attempt_at = now() + make_interval(secs => $17::float8), attempts = 0, untold = true, updated_at = now()
    FROM made WHERE reservation_id = made.id
    RETURNING payments.status, provider, provider_key
), sale AS (
    SELECT id, slug, name FROM events WHERE id = (SELECT event_id FROM made)
), event AS (
    INSERT INTO outbox (reservation_id, type, payload)
    SELECT made.id, 'reservation.' || lower(made.status),
    --#include payload.sql
    FROM made, sale, (
        --#include seats_json.sql
        FROM changed
    ) AS changes
)
SELECT made.*, sale.slug, sale.name AS event_name, payment.status AS payment_status, payment.provider,
       payment.provider_key, 0 AS attempts, false AS past_deadline, true AS untold, false AS needs_person,
       (SELECT array_agg(ordinal ORDER BY ordinal) FROM reservation_seats WHERE reservation_id = $1) AS seats,
       (SELECT array_agg(ordinal ORDER BY ordinal) FROM changed) AS settled
FROM made, sale, payment
