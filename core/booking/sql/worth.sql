-- What the seats that a confirmed reservation still has would give back, before any fee: `refund.sql` judges the same sum.
-- $1 reservation
-- `paid_for`: what is left of the charge, `prices`: [[ordinal, price], ...] of the seats; of some of them goes back what
-- they cost, and never more than is left.
SELECT least(a.amount - a.refunded, line.sum)::bigint AS worth, a.amount - a.refunded AS paid_for, line.prices
FROM reservations r JOIN payment_attempts a ON a.reservation_id = r.id AND a.state = 'APPROVED'
CROSS JOIN LATERAL (
    SELECT coalesce(sum(price), 0) AS sum,
           coalesce(jsonb_agg(jsonb_build_array(ordinal, price) ORDER BY ordinal), '[]'::jsonb) AS prices
    FROM reservation_seats WHERE reservation_id = r.id AND live
) AS line
WHERE r.id = $1 AND r.status = 'CONFIRMED'
