-- The guard of rule 1: seats AVAILABLE -> PAYING with the reservation, its seats, its first attempt and its event, or
-- nothing. What costs nothing is AUTHORISED at once, and claimed.
-- $1 reservation id  $2 event id  $3 visitor  $4 idempotency key  $5 request digest  $6 email  $7 language
-- $8 ordinals (int[], no duplicates)  $9 fence  $10 order number  $11 provider  $12 environment
-- $13 the time to pay, seconds  $14 grace after it, seconds  $15 claim token  $16 lease, seconds  $17 the address's key
-- $18 the phase that the seats were held in, or NULL  $19 the code that is spent (its digest), or NULL
-- $20 an offer of the waiting list: its seats are kept for it, and were never held; or NULL
-- One row (see reservation.sql), or none: a seat is not free, has no price, or has met a younger fence; the event does
-- not take place; the visitor's last five payments failed, the last of them within a minute; they would be more seats
-- than one buyer may have, or than the phase may sell; the code is not good (any more); or the offer is over.
-- Raises unique_violation when the key was used, or when a seat is in a live reservation after all.
WITH pause AS (
    --#include failures_of.sql
), sale AS MATERIALIZED (
    -- Of a visitor all that is paid or being paid for counts; of an address what is paid or about to be: a stranger's
    -- open windows lock nobody out (F3). In this order, so that two statements never wait for each other's buyer.
    -- Then the phase's seats, those on offer too, and the code's uses (F7), which others count at the same time as well.
    SELECT events.id, slug, name, currency, prices
    FROM events, pause,
         LATERAL (SELECT least(max_seats, (SELECT p.max_seats FROM phases p WHERE p.event_id = $2 AND p.name = $18)) AS most)
    WHERE events.id = $2 AND pause.seconds <= 0 AND events.cancelled_at IS NULL
      AND CASE WHEN seats_of_visitor($2, $3) + cardinality($8::int[]) > most THEN false
               WHEN seats_of_address($2, $17, '{AUTHORISED,CALLED}', NULL) + cardinality($8::int[]) > most THEN false
               WHEN $18::text IS NOT NULL AND NOT phase_takes($2, $18, cardinality($8::int[]), $20::uuid) THEN false
               ELSE $19::bytea IS NULL OR code_is_good($2, $19) END
), offer AS MATERIALIZED (
    -- Locked first, as whatever ends an offer does. One that ended while this statement waited for it is none any more.
    SELECT id FROM offers
    WHERE id = $20::uuid AND event_id = $2 AND state = 'OPEN' AND until > now() AND EXISTS (SELECT FROM sale)
    FOR UPDATE
), free AS MATERIALIZED (
    -- Locked in ordinal order, so that overlapping statements wait in line instead of in a circle. A row that was
    -- changed while this statement waited for it is looked at again in its new form, and dropped when it is not free.
    SELECT ordinal FROM seats
    WHERE event_id = $2 AND ordinal = ANY ($8::int[]) AND fence < $9
      AND CASE WHEN $20::uuid IS NULL THEN status = 'AVAILABLE' ELSE status = 'RETURNED' AND EXISTS (
          SELECT FROM returned_seats kept JOIN offer ON kept.offer_id = offer.id
          WHERE kept.event_id = $2 AND kept.ordinal = seats.ordinal
      ) END
      AND EXISTS (SELECT FROM sale)
      AND (SELECT prices FROM sale) ? category  -- what has no price is not for sale, and not for nothing
    ORDER BY ordinal
    FOR UPDATE
), taken AS (
    -- Counted before the first row is touched: fewer than were asked for, and nothing below has anything to write.
    -- Joined with `free` instead of asking for the array again: so PostgreSQL keeps one generic plan (measured: planning
    -- it anew each time doubles the statement's cost).
    UPDATE seats AS seat SET status = 'PAYING', fence = $9, version = seat.version + 1, updated_at = now()
    FROM free
    WHERE seat.event_id = $2 AND seat.ordinal = free.ordinal
      AND (SELECT count(*) FROM free) = cardinality($8::int[])
    RETURNING seat.ordinal, seat.version, seat.status, seat.price, seat.category, seat.zone, seat.row_label,
              seat.seat_number
), made AS (
    INSERT INTO reservations (id, event_id, visitor, idempotency_key, request_digest, email, address_key,
                              language, status, amount, currency, fence, until, phase, code, offer_id)
    SELECT $1, sale.id, $3, $4, $5, $6, $17, $7, 'PAYING', total.amount, sale.currency, $9,
           now() + make_interval(secs => $13::float8), $18, $19, $20
    FROM sale, (SELECT sum(price) AS amount FROM taken HAVING count(*) > 0) AS total
    RETURNING *
), lines AS (
    INSERT INTO reservation_seats (reservation_id, event_id, ordinal, price)
    SELECT made.id, made.event_id, taken.ordinal, taken.price FROM made, taken
), took AS (
    UPDATE offers SET state = 'TAKEN', ended_at = now() FROM made WHERE offers.id = made.offer_id RETURNING wish_id
), granted AS (
    UPDATE wishes SET state = 'TAKEN', ended_at = now() FROM took WHERE wishes.id = took.wish_id
), a AS (
    INSERT INTO payment_attempts (order_no, reservation_id, number, provider, environment, amount, currency, state,
                                  next_attempt_at, claimed_by, claimed_until)
    SELECT $10, id, 1, CASE WHEN amount = 0 THEN 'none' ELSE $11 END, CASE WHEN amount = 0 THEN 'none' ELSE $12 END,
           amount, currency, CASE WHEN amount = 0 THEN 'AUTHORISED' ELSE 'OPEN' END,
           CASE WHEN amount = 0 THEN now() ELSE until + make_interval(secs => $14::float8) END,
           CASE WHEN amount = 0 THEN $15 END,
           CASE WHEN amount = 0 THEN now() + make_interval(secs => $16::float8) END
    FROM made
    RETURNING *
), event AS (
    INSERT INTO outbox (reservation_id, type, payload)
    SELECT made.id, 'reservation.paying',
    --#include payload.sql
    FROM made, sale, (
        --#include seats_json.sql
        FROM taken AS changed
    ) AS changes
)
SELECT made.*, sale.slug, sale.name AS event_name, (SELECT array_agg(ordinal ORDER BY ordinal) FROM taken) AS seats,
       --#include attempt_columns.sql
       , 1 AS made, 1 AS counted
FROM made, sale, a
