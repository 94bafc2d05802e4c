-- Attempts as the provider's list is held against them, with what was given back of each.
-- $1 orders (text[])  $2 provider  $3 since when a refund may not be in the list yet
SELECT a.order_no, a.reservation_id, a.state, a.provider_key, a.amount, a.currency, back.done, back.pending,
       back.owed OR coalesce(back.latest >= $3, false) AS busy
FROM payment_attempts a
CROSS JOIN LATERAL (
    SELECT coalesce(sum(f.amount) FILTER (WHERE f.kind = 'refund' AND f.state = 'DONE'), 0)::bigint AS done,
           coalesce(sum(f.amount) FILTER (WHERE f.kind = 'refund' AND f.state = 'PENDING'), 0)::bigint AS pending,
           coalesce(bool_or(f.state = 'PENDING'), false) AS owed, max(f.done_at) AS latest
    FROM refunds f WHERE f.order_no = a.order_no
) AS back
WHERE a.order_no = ANY ($1::text[]) AND a.provider = $2
