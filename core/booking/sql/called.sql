-- Written before a request leaves for a provider, with the lease renewed: from here on the outcome is not known.
-- $1 reservation id  $2 claim token  $3 provider  $4 lease, seconds
-- One row, or none: the claim was lost, or the payment has ended.
UPDATE payments
SET status = 'CALLED', provider = $3, claimed_until = now() + make_interval(secs => $4::float8), updated_at = now()
WHERE reservation_id = $1 AND claimed_by = $2 AND status IN ('NEW', 'CALLED')
RETURNING reservation_id
