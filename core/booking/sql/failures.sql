-- How long a visitor's next payment waits: a minute from the fifth that failed in a row (declined, or its time ended).
-- $1 event id  $2 visitor
-- One row: `seconds` that are left, none or fewer: it does not wait.
SELECT CASE WHEN count(*) = 5 AND bool_and(status = 'FAILED' AND reason IN ('declined', 'payment_window_ended'))
            THEN extract(epoch FROM max(updated_at) + interval '60 seconds' - now()) ELSE 0 END::float8 AS seconds
FROM (
    SELECT status, reason, updated_at FROM reservations
    WHERE visitor = $2 AND event_id + 0 = $1  -- by the visitor: see bind.sql
    ORDER BY updated_at DESC LIMIT 5
) AS latest
