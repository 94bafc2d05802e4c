-- The provider says that nothing is charged any more. The claim is kept.
-- $1 reservation id  $2 claim token  $3 code of the provider, or NULL
-- One row, or none: the claim was lost.
UPDATE payments SET status = 'REFUNDED', error_code = $3, updated_at = now()
WHERE reservation_id = $1 AND claimed_by = $2 AND status = 'REFUNDING'
RETURNING reservation_id
