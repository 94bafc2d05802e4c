-- The guard of rule 1: seats AVAILABLE -> PAYING with the reservation, its seats, its payment and its event, or nothing.
-- $1 reservation id  $2 event id  $3 visitor  $4 idempotency key  $5 request digest  $6 email  $7 language
-- $8 payment key  $9 ordinals (int[], no duplicates)  $10 fence  $11 deadline of the payment, seconds
-- $12 claim token, or NULL: any process may take it  $13 lease, seconds
-- One row (see reservation columns below), or none: a seat is not free, or has met a younger fence.
-- Raises unique_violation when the key was used, or when a seat is in a live reservation after all.
WITH sale AS (
    SELECT id, slug, name, currency FROM events WHERE id = $2
), free AS MATERIALIZED (
    -- Locked in ordinal order, so that overlapping statements wait in line instead of in a circle. A row that was
    -- changed while this statement waited for it is looked at again in its new form, and dropped when it is not free.
    SELECT ordinal FROM seats
    WHERE event_id = $2 AND ordinal = ANY ($9::int[]) AND status = 'AVAILABLE' AND fence < $10
    ORDER BY ordinal
    FOR UPDATE
), taken AS (
    -- Counted before the first row is touched: fewer than were asked for, and nothing below has anything to write.
    -- Joined with `free` instead of asking for the array again: so PostgreSQL keeps one generic plan (measured: planning
    -- it anew each time doubles the statement's cost).
    UPDATE seats AS seat SET status = 'PAYING', fence = $10, version = seat.version + 1, updated_at = now()
    FROM free
    WHERE seat.event_id = $2 AND seat.ordinal = free.ordinal
      AND (SELECT count(*) FROM free) = cardinality($9::int[])
    RETURNING seat.ordinal, seat.version, seat.status, seat.price, seat.category, seat.zone, seat.row_label,
              seat.seat_number
), made AS (
    INSERT INTO reservations (id, event_id, visitor, idempotency_key, request_digest, email, language, payment_key,
                              status, amount, currency, fence)
    SELECT $1, sale.id, $3, $4, $5, $6, $7, $8, 'PAYING', total.amount, sale.currency, $10
    FROM sale, (SELECT sum(price) AS amount FROM taken HAVING count(*) > 0) AS total
    RETURNING *
), lines AS (
    INSERT INTO reservation_seats (reservation_id, event_id, ordinal, price)
    SELECT made.id, made.event_id, taken.ordinal, taken.price FROM made, taken
), payment AS (
    INSERT INTO payments (reservation_id, status, deadline, claimed_by, claimed_until)
    SELECT id, 'NEW', now() + make_interval(secs => $11::float8), $12::text,
           CASE WHEN $12::text IS NOT NULL THEN now() + make_interval(secs => $13::float8) END
    FROM made
), event AS (
    INSERT INTO outbox (reservation_id, type, payload)
    SELECT made.id, 'reservation.paying',
    --#include payload.sql
    FROM made, sale, (
        --#include seats_json.sql
        FROM taken AS changed
    ) AS changes
)
SELECT made.*, sale.slug, sale.name AS event_name, (SELECT array_agg(ordinal ORDER BY ordinal) FROM taken) AS seats
FROM made, sale
