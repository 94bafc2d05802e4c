-- An operator wants a refund tried at once: claimed, whenever its next try would have been.
-- $1 reservation id  $2 claim token  $3 lease, seconds
-- One row, or none: no refund is owed, or a process is at it.
WITH claimed AS (
    UPDATE payments
    SET claimed_by = $2, claimed_until = now() + make_interval(secs => $3::float8), attempts = attempts + 1
    WHERE reservation_id = $1 AND status = 'REFUNDING' AND (claimed_until IS NULL OR claimed_until <= now())
    RETURNING *
)
--#include claim_columns.sql
