-- The provider says that it is done, and nobody has to look at it.
-- $1 refund  $2 claim token  $3 code of the provider, or NULL  $4 its name for the refund, or NULL
-- One row, or none: the claim was lost.
UPDATE refunds
SET state = 'DONE', code = $3, refund_key = coalesce($4, refund_key), needs_person_at = NULL, claimed_by = NULL,
    claimed_until = NULL, done_at = now()
WHERE id = $1 AND claimed_by = $2 AND state = 'PENDING'
RETURNING id
