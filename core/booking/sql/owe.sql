-- A charge was found for an attempt that is over: it is owed back, also when that was done once.
-- $1 order  $2 provider's key
-- One row, or none: the attempt is not over (it is confirmed by this very charge, or still being asked about).
WITH held AS MATERIALIZED (
    SELECT * FROM payment_attempts WHERE order_no = $1 AND state IN ('DECLINED', 'CLOSED', 'EXPIRED', 'VOIDED') FOR UPDATE
)
INSERT INTO refunds (order_no, reservation_id, kind, cause, provider_key, reason, asked_by)
SELECT order_no, reservation_id, 'refund', 'owed', coalesce($2, provider_key), 'payment_cancelled', 'system' FROM held
ON CONFLICT (order_no, cause) DO UPDATE
SET kind = 'refund', state = 'PENDING', provider_key = coalesce(excluded.provider_key, refunds.provider_key), tries = 0,
    round = refunds.round + 1, next_attempt_at = now(), done_at = NULL
RETURNING order_no
