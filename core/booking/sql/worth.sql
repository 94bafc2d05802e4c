-- What the seats that a confirmed reservation still has would give back, before any fee: `refund.sql` judges the same sum.
-- $1 reservation
SELECT least(a.amount - a.refunded, (
    SELECT coalesce(sum(price), 0) FROM reservation_seats WHERE reservation_id = r.id AND live
))::bigint AS worth
FROM reservations r JOIN payment_attempts a ON a.reservation_id = r.id AND a.state = 'APPROVED'
WHERE r.id = $1 AND r.status = 'CONFIRMED'
