SELECT CASE WHEN count(*) = 5 AND bool_and(status = 'FAILED' AND reason IN ('declined', 'payment_window_ended'))
                THEN extract(epoch FROM max(updated_at) + interval '60 seconds' - now()) ELSE 0 END::float8 AS seconds
    FROM (
        SELECT status, reason, updated_at FROM reservations
        WHERE visitor = $3 AND event_id + 0 = $2  -- by the visitor: see bind.sql
        ORDER BY updated_at DESC LIMIT 5
    ) AS latest
