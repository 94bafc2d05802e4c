-- Seats that are for sale again. Their rows stay until the board shows it.
-- $1 event  $2 ordinals (int[])
WITH k AS (
    UPDATE returned_seats SET freed = true WHERE event_id = $1 AND ordinal = ANY ($2::int[]) RETURNING ordinal
), seat AS MATERIALIZED (
    SELECT ordinal FROM seats WHERE event_id = $1 AND ordinal = ANY ($2::int[]) AND status = 'RETURNED'
    ORDER BY ordinal FOR UPDATE
)
UPDATE seats s SET status = 'AVAILABLE', updated_at = now()
FROM k JOIN seat USING (ordinal) WHERE s.event_id = $1 AND s.ordinal = k.ordinal
