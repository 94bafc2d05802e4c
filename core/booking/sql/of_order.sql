--#include reservation.sql
WHERE r.id = (SELECT reservation_id FROM payment_attempts WHERE order_no = $1)
