-- Every movement of money, oldest first, a page at a time: charges, refunds, and the fees that were kept of them.
-- $1 event, or NULL: all  $2 from, or NULL  $3 before, or NULL  $4 time of the last row of the page before  $5 its id
-- $6 rows, at most
-- A charge that was never approved here is known by the refund that the provider has a name for: both are listed.
-- `amount`: in minor units, what is given back is negative. A fee moves nothing: it is what a refund left.
WITH back AS (
    SELECT f.*, a.amount AS charged, coalesce(f.amount, a.amount - coalesce((
               SELECT sum(o.amount) FROM refunds o
               WHERE o.order_no = f.order_no AND o.kind = 'refund' AND o.amount IS NOT NULL
           ), 0))::bigint AS given
    FROM refunds f JOIN payment_attempts a ON a.order_no = f.order_no
    WHERE f.kind = 'refund' AND a.provider <> 'none' AND (a.approved_at IS NOT NULL OR f.refund_key IS NOT NULL)
), moved AS (
    SELECT coalesce(a.approved_at, (SELECT min(f.created_at) FROM refunds f WHERE f.order_no = a.order_no)) AS at,
           'charge:' || a.order_no AS id, 'charge' AS kind, 'DONE' AS state, a.order_no, a.amount, 0::bigint AS fee,
           a.provider_key AS key, NULL AS reason, NULL AS asked_by
    FROM payment_attempts a
    WHERE a.provider <> 'none'
      AND (a.approved_at IS NOT NULL OR a.order_no IN (SELECT order_no FROM back))
    UNION ALL
    SELECT coalesce(done_at, created_at), 'refund:' || id, 'refund', state, order_no, -given, 0, refund_key, reason, asked_by
    FROM back WHERE given > 0
    UNION ALL
    SELECT coalesce(done_at, created_at), 'refund:' || id || ':fee', 'fee', state, order_no, 0, fee, NULL, reason, asked_by
    FROM back WHERE fee > 0
)
SELECT moved.*, e.slug, a.reservation_id, a.provider, a.currency, a.method, a.approval_number
FROM moved
JOIN payment_attempts a ON a.order_no = moved.order_no
JOIN reservations r ON r.id = a.reservation_id
JOIN events e ON e.id = r.event_id
WHERE ($1::bigint IS NULL OR r.event_id = $1)
  AND ($2::timestamptz IS NULL OR moved.at >= $2) AND ($3::timestamptz IS NULL OR moved.at < $3)
  AND ($4::timestamptz IS NULL OR (moved.at, moved.id) > ($4, $5::text))
ORDER BY moved.at, moved.id
LIMIT $6
