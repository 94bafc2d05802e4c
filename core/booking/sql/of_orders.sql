-- The reservations whose attempts, current or not, have these order numbers.
-- $1 order numbers (text[])
-- `n`: for which of them a row is.
SELECT asked.n, found.*
FROM unnest($1::text[]) WITH ORDINALITY AS asked (order_no, n)
JOIN payment_attempts known ON known.order_no = asked.order_no
CROSS JOIN LATERAL (
    --#include reservation.sql
    WHERE r.id = known.reservation_id
) AS found
