-- A claim as it is now, for the process that has it.
-- $1 order  $2 claim token
-- One row, or none: the claim was lost.
WITH claimed AS (
    SELECT * FROM payment_attempts WHERE order_no = $1 AND claimed_by = $2
)
--#include claim_columns.sql
