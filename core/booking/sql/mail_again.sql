-- The ticket's e-mail of a confirmed reservation once more, to an address and with a ticket's code that are its own from
-- now on.
-- $1 id  $2 e-mail  $3 what the address is counted under  $4 ticket's code
-- One row, or none: not confirmed (any more).
WITH made AS (
    UPDATE reservations SET email = $2, address_key = $3, ticket_code = $4
    WHERE id = $1 AND status = 'CONFIRMED'
    RETURNING *
), sale AS (
    SELECT id, slug, name FROM events WHERE id = (SELECT event_id FROM made)
), changed AS (
    SELECT seat.ordinal, seat.version, seat.status, seat.price, seat.category, seat.zone, seat.row_label, seat.seat_number
    FROM made
    JOIN reservation_seats line ON line.reservation_id = made.id AND line.live
    JOIN seats seat ON seat.event_id = line.event_id AND seat.ordinal = line.ordinal
), paid AS (
    SELECT coalesce(max(refunded), 0) AS back FROM payment_attempts
    WHERE reservation_id = $1 AND state = 'APPROVED'
)
INSERT INTO outbox (reservation_id, type, payload)
SELECT made.id, 'reservation.mail_again',
    --#include payload.sql
    || jsonb_build_object(
        -- For the seats that are left, and now.
        'amount', made.amount - paid.back,
        'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
FROM made, sale, paid, (
    --#include seats_json.sql
    FROM changed
) AS changes
RETURNING id
