-- Money of a confirmed reservation goes back, with or without seats, or nothing happens: refund, attempt's balance, seats,
-- reservation, event. Who has no seat left is CANCELLED.
-- $1 order of the approved attempt  $2 cause  $3 digest of the request  $4 seats (int[]), or NULL: all that are live
-- $5 amount, or NULL: the seats' prices, less the fee  $6 what had been refunded before, or NULL: whatever it is
-- $7 fee  $8 fee, per cent  $9 reason of the refund  $10 who asked  $11 the seats: 'free', 'block' (nobody's), 'keep'
-- $12 claim token afterwards  $13 lease, seconds  $14 reason of the reservation, when it ends  $15 job of a whole event, or NULL
-- $16 it went back already, in the provider's dashboard: noted, and nothing is sent (boolean)
-- $17 freed seats are on the map again within so many seconds, at a random moment; 0: at once, unless somebody waits for them
-- One row: what became of it; none: not confirmed (any more), a seat is not its own, or the balance is another.
-- Raises unique_violation when there is a refund for this cause.
WITH held AS MATERIALIZED (
    -- The one lock that all refunds of a reservation take first; what is judged is on this row.
    SELECT order_no, reservation_id, amount, refunded, provider FROM payment_attempts
    WHERE order_no = $1 AND state = 'APPROVED' AND ($6::bigint IS NULL OR refunded = $6)
      AND (claimed_until IS NULL OR claimed_until <= now())
    FOR UPDATE
), mine AS MATERIALIZED (
    SELECT r.* FROM held JOIN reservations r ON r.id = held.reservation_id AND r.status || '' = 'CONFIRMED' FOR UPDATE OF r
), chosen AS MATERIALIZED (
    SELECT line.event_id, line.ordinal, line.price
    FROM mine JOIN reservation_seats line ON line.reservation_id = mine.id AND line.live
    WHERE $4::int[] IS NULL OR line.ordinal = ANY ($4::int[])
    FOR UPDATE OF line
), own AS MATERIALIZED (
    SELECT seat.event_id, seat.ordinal
    FROM chosen JOIN mine ON true
    JOIN seats seat ON seat.event_id = chosen.event_id AND seat.ordinal = chosen.ordinal
    WHERE $11 <> 'keep' AND seat.status = 'SOLD' AND seat.fence = mine.fence
    ORDER BY seat.ordinal
    FOR UPDATE OF seat
), gross AS (
    SELECT held.*, least(held.amount - held.refunded, (SELECT sum(price) FROM chosen)) AS price FROM held
), money AS (
    SELECT order_no, reservation_id, provider,
           coalesce($5, price - least(price, $7::bigint + floor(price * $8::int / 100.0)::bigint)) AS amount,
           CASE WHEN $5::bigint IS NULL THEN least(price, $7::bigint + floor(price * $8::int / 100.0)::bigint) ELSE 0 END AS fee
    FROM gross
    WHERE (SELECT count(*) FROM chosen) > 0
      AND ($4::int[] IS NULL OR (SELECT count(*) FROM chosen) = cardinality($4::int[]))
      AND ($5::bigint IS NULL OR $5 <= gross.amount - gross.refunded)
), made AS (
    UPDATE reservations r
    SET status = CASE WHEN whole.over THEN 'CANCELLED' ELSE r.status END,
        reason = CASE WHEN whole.over THEN $14 ELSE r.reason END, updated_at = now()
    FROM money, (
        SELECT $11 <> 'keep' AND (SELECT count(*) FROM chosen) =
            (SELECT count(*) FROM reservation_seats WHERE reservation_id = (SELECT id FROM mine) AND live) AS over
    ) AS whole
    WHERE r.id = money.reservation_id
    RETURNING r.*
), sale AS MATERIALIZED (
    SELECT id, slug, name, cancelled_at IS NULL AND ($17::float8 > 0 OR EXISTS (
        SELECT FROM wishes w WHERE w.event_id = events.id AND w.state IN ('WAITING', 'OFFERED')
    )) AS keeps
    FROM events WHERE id = (SELECT event_id FROM made)
), changed AS (
    UPDATE seats AS seat
    SET status = CASE WHEN $11 <> 'free' THEN 'BLOCKED' WHEN sale.keeps THEN 'RETURNED' ELSE 'AVAILABLE' END, fence = seat.fence + 1,
        version = seat.version + 1, updated_at = now()
    FROM own, made, sale
    WHERE seat.event_id = own.event_id AND seat.ordinal = own.ordinal
    RETURNING seat.ordinal, seat.version, seat.status, seat.price, seat.category, seat.zone, seat.row_label,
              seat.seat_number
), kept AS (
    INSERT INTO returned_seats (event_id, ordinal, free_at)
    SELECT made.event_id, changed.ordinal, now() + make_interval(secs => random() * $17::float8)
    FROM made, changed WHERE changed.status = 'RETURNED'
    -- What is left of an earlier return of it.
    ON CONFLICT (event_id, ordinal) DO UPDATE
    SET returned_at = now(), offer_id = NULL, free_at = excluded.free_at, freed = false
), lines AS (
    UPDATE reservation_seats AS line SET live = false
    FROM made, chosen
    WHERE $11 <> 'keep' AND line.reservation_id = made.id AND line.ordinal = chosen.ordinal
), a AS (
    UPDATE payment_attempts p
    SET refunded = p.refunded + money.amount, claimed_by = $12, untold = true, tries = 0, next_attempt_at = now(),
        claimed_until = now() + make_interval(secs => $13::float8), updated_at = now()
    FROM money, made WHERE p.order_no = money.order_no
), back AS (
    INSERT INTO refunds (order_no, reservation_id, kind, cause, amount, fee, seats, reason, asked_by, request_digest,
                         event_refund_id, state, done_at)
    SELECT money.order_no, money.reservation_id, 'refund', $2, money.amount, money.fee,
           coalesce((SELECT array_agg(ordinal ORDER BY ordinal) FROM chosen WHERE $11 <> 'keep' OR $4::int[] IS NOT NULL), '{}'),
           $9, $10, $3, $15, CASE WHEN money.amount = 0 OR $16::boolean THEN 'DONE' ELSE 'PENDING' END,
           CASE WHEN money.amount = 0 OR $16::boolean THEN now() END
    FROM money, made
    RETURNING id, amount, fee, state
), event AS (
    INSERT INTO outbox (reservation_id, type, payload)
    SELECT made.id, CASE WHEN made.status = 'CANCELLED' THEN 'reservation.cancelled' ELSE 'reservation.refunded' END,
    --#include payload.sql
    FROM made, sale, (
        --#include seats_json.sql
        FROM changed
    ) AS changes
)
SELECT back.*, made.status FROM back, made
