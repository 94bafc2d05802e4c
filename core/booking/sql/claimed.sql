-- A claim as it is now, for the process that has it.
-- $1 reservation id  $2 claim token
-- One row, or none: the claim was lost.
WITH claimed AS (
    SELECT * FROM payments WHERE reservation_id = $1 AND claimed_by = $2
)
--#include claim_columns.sql
