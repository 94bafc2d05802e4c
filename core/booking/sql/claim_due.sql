-- Attempts that nobody works on and whose time has come, oldest first; they are this process's until the lease ends.
-- $1 how many, at most  $2 claim token  $3 lease, seconds
WITH due AS (
    SELECT order_no FROM payment_attempts
    WHERE next_attempt_at <= now() AND (claimed_until IS NULL OR claimed_until <= now())
    ORDER BY next_attempt_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE payment_attempts p
    SET claimed_by = $2, claimed_until = now() + make_interval(secs => $3::float8), tries = tries + 1
    FROM due WHERE p.order_no = due.order_no
    RETURNING p.*
)
--#include claim_columns.sql
ORDER BY a.next_attempt_at
