-- The provider says that nothing is charged any more, and nobody has to look at it. The claim is kept.
-- $1 reservation id  $2 claim token  $3 code of the provider, or NULL
-- One row, or none: the claim was lost.
UPDATE payments SET status = 'REFUNDED', error_code = $3, needs_person_at = NULL, updated_at = now()
WHERE reservation_id = $1 AND claimed_by = $2 AND status = 'REFUNDING'
RETURNING reservation_id
