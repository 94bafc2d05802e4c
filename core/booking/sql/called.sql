-- Written before a request that may move money leaves, with the lease renewed: from here on the outcome is not known.
-- $1 order  $2 claim token  $3 idempotency key  $4 deadline for an unknown outcome, seconds  $5 lease, seconds
-- One row, or none: the claim was lost, the attempt or the reservation has ended, a seat is not its own any more, the
-- address has so many seats by now that these would be too many (F3), or the event does not take place (P7): no money is
-- asked for it. What was asked for before that is asked for again.
WITH share AS MATERIALIZED (
    -- Before any row is locked. What others have only authorised does not count: they are judged here as well, and the
    -- first one to be called wins. Who has no other seats passes, also after the limit of event or phase was lowered.
    SELECT id FROM (
        SELECT r.id,
               least(e.max_seats, (SELECT h.max_seats FROM phases h WHERE h.event_id = e.id AND h.name = r.phase)) AS most,
               seats_of_address(r.event_id, r.address_key, '{CALLED}', r.id) AS others,
               (SELECT count(*) FROM reservation_seats WHERE reservation_id = r.id AND live) AS own
        FROM payment_attempts p JOIN reservations r ON r.id = p.reservation_id JOIN events e ON e.id = r.event_id
        WHERE p.order_no = $1 AND (p.state = 'CALLED' OR e.cancelled_at IS NULL)
        OFFSET 0  -- counted once
    ) AS counted
    WHERE others = 0 OR others + own <= most
)
UPDATE payment_attempts p
SET state = 'CALLED', idempotency_key = $3, called_at = coalesce(p.called_at, now()),
    deadline = coalesce(p.deadline, now() + make_interval(secs => $4::float8)),
    claimed_until = now() + make_interval(secs => $5::float8), updated_at = now()
FROM reservations r, share
WHERE r.id = share.id AND p.order_no = $1 AND p.claimed_by = $2 AND p.state IN ('AUTHORISED', 'CALLED')
  AND r.id = p.reservation_id AND r.status || '' = 'PAYING'
  AND NOT EXISTS (
      SELECT FROM reservation_seats l JOIN seats s ON s.event_id = l.event_id AND s.ordinal = l.ordinal
      WHERE l.reservation_id = r.id AND l.live AND NOT (s.status = 'PAYING' AND s.fence = r.fence)
  )
RETURNING p.order_no
