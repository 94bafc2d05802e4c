-- The time for which the sale's clock stood is given to those who were paying meanwhile (R4): to those who have it not yet.
-- $1 event  $2 when it went on  $3 for how long it had stood, seconds  $4 grace after the time to pay, seconds
-- $5 the longest time to pay, from its begin, seconds: no provider's window lives longer  $6 who has it (reservations)
-- One row for each reservation that has more time now. Whose next attempt takes the place of the last in this moment is
-- not among them, as the statement sees neither as current: it is asked again, in the same transaction.
WITH held AS MATERIALIZED (
    -- Attempts before their reservations, as everybody locks them. What waits for its provider has no end of this kind.
    SELECT p.order_no, r.id, least(
        make_interval(secs => $3::float8), $2::timestamptz - r.created_at,
        r.created_at + make_interval(secs => $5::float8) - r.until
    ) AS more
    FROM reservations r JOIN payment_attempts p ON p.reservation_id = r.id
    WHERE r.event_id = $1 AND r.id <> ALL ($6::uuid[]) AND r.status = 'PAYING' AND NOT p.superseded
      AND p.state IN ('OPEN', 'CLOSED', 'DECLINED', 'AUTHORISED', 'CALLED')
      -- Not who was too late before it stood.
      AND coalesce(p.retry_until, r.until + make_interval(secs => $4::float8)) > $2::timestamptz - make_interval(secs => $3::float8)
    ORDER BY p.order_no
    FOR UPDATE OF p
), longer AS (
    UPDATE reservations r SET until = r.until + held.more, updated_at = now()
    FROM held WHERE r.id = held.id AND r.status = 'PAYING' AND held.more > interval '0'
    RETURNING r.id
)
UPDATE payment_attempts p
SET retry_until = p.retry_until + held.more,
    next_attempt_at = CASE WHEN p.state IN ('OPEN', 'CLOSED', 'DECLINED') THEN p.next_attempt_at + held.more
                           ELSE p.next_attempt_at END
FROM held, longer WHERE p.order_no = held.order_no AND longer.id = held.id
RETURNING p.reservation_id
