-- A refund that was asked for under this cause.
-- $1 order  $2 cause
SELECT f.id, f.amount, f.fee, f.state, f.request_digest, r.status
FROM refunds f JOIN reservations r ON r.id = f.reservation_id WHERE f.order_no = $1 AND f.cause = $2
