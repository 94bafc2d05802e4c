-- Written before a request that may move money leaves, with the lease renewed: from here on the outcome is not known.
-- $1 order  $2 claim token  $3 idempotency key  $4 deadline for an unknown outcome, seconds  $5 lease, seconds
-- One row, or none: the claim was lost, the attempt or the reservation has ended, or a seat is not its own any more.
UPDATE payment_attempts p
SET state = 'CALLED', idempotency_key = $3, called_at = coalesce(p.called_at, now()),
    deadline = coalesce(p.deadline, now() + make_interval(secs => $4::float8)),
    claimed_until = now() + make_interval(secs => $5::float8), updated_at = now()
FROM reservations r
WHERE p.order_no = $1 AND p.claimed_by = $2 AND p.state IN ('AUTHORISED', 'CALLED')
  AND r.id = p.reservation_id AND r.status = 'PAYING'
  AND NOT EXISTS (
      SELECT FROM reservation_seats l JOIN seats s ON s.event_id = l.event_id AND s.ordinal = l.ordinal
      WHERE l.reservation_id = r.id AND l.live AND NOT (s.status = 'PAYING' AND s.fence = r.fence)
  )
RETURNING p.order_no
