-- A charge was found for a reservation that is over: it is owed back, whatever the payment's row said until now.
-- $1 reservation id  $2 claim token afterwards  $3 lease, seconds  $4 provider  $5 provider's key
-- One row, or none: the reservation is not over (it is confirmed by this very charge, or still being asked about).
WITH held AS MATERIALIZED (
    SELECT reservation_id FROM payments WHERE reservation_id = $1 FOR UPDATE
)
UPDATE payments p
SET status = 'REFUNDING', provider = coalesce($4, p.provider), provider_key = coalesce($5, p.provider_key),
    claimed_by = $2, claimed_until = now() + make_interval(secs => $3::float8), next_attempt_at = now(), attempts = 0,
    updated_at = now()
FROM held
WHERE p.reservation_id = held.reservation_id AND p.status IN ('DECLINED', 'REFUNDING', 'REFUNDED')
RETURNING p.reservation_id
