-- A return came for an attempt that is over, or with a further key: its authorisation is let go of, durably and once.
-- $1 order  $2 provider's key  $3 cause  $4 such rows of one order, at most
INSERT INTO refunds (order_no, reservation_id, kind, cause, provider_key, reason, asked_by)
SELECT order_no, reservation_id, 'void', $3, $2, 'late_return', 'system' FROM payment_attempts p
WHERE p.order_no = $1 AND p.provider <> 'none' AND p.state IN ('DECLINED', 'CLOSED', 'EXPIRED', 'VOIDED')
  AND p.provider_key IS DISTINCT FROM $2
  AND (SELECT count(*) FROM refunds WHERE order_no = $1) < $4
ON CONFLICT (order_no, cause) DO NOTHING
RETURNING order_no
