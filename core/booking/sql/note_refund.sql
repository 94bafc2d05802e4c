-- Money of a reservation that is over went back in the provider's dashboard: noted, and nothing is sent.
-- $1 order  $2 cause  $3 amount  $4 reason  $5 who noted it
-- One row, or none: it was noted before, or more than is left.
WITH held AS (
    UPDATE payment_attempts SET refunded = refunded + $3, updated_at = now()
    WHERE order_no = $1 AND state = 'APPROVED' AND refunded + $3 <= amount
      AND NOT EXISTS (SELECT FROM refunds WHERE order_no = $1 AND cause = $2)
    RETURNING order_no, reservation_id
)
INSERT INTO refunds (order_no, reservation_id, kind, cause, amount, reason, asked_by, state, done_at)
SELECT order_no, reservation_id, 'refund', $2, $3, $4, $5, 'DONE', now() FROM held
RETURNING order_no
