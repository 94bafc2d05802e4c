CROSS JOIN LATERAL (
    SELECT count(*) AS made, count(*) FILTER (WHERE NOT shops_fault) AS counted
    FROM payment_attempts WHERE reservation_id = r.id
) AS attempts
