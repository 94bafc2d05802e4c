-- One attempt, by its order number ($1).
SELECT a.reservation_id AS id, a.currency, r.until,
       --#include attempt_columns.sql
FROM payment_attempts a
JOIN reservations r ON r.id = a.reservation_id
WHERE a.order_no = $1
