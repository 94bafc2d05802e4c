-- Attempts that nobody works on and whose time has come, oldest first; they are this process's until the lease ends.
-- $1 how many, at most  $2 claim token  $3 lease, seconds  $4 accounts that this process has keys for (text[]), or NULL: all
-- $5 seconds for which buyers could not pay and have not got the time back yet: who waits for its buyer ends so much later
WITH due AS (
    SELECT order_no FROM payment_attempts
    WHERE next_attempt_at <= now() AND (claimed_until IS NULL OR claimed_until <= now())
      AND (state NOT IN ('OPEN', 'CLOSED', 'DECLINED')
           OR next_attempt_at + make_interval(secs => $5::float8) <= now())
      -- Who has no keys for an account leaves its money to those who have.
      AND (state NOT IN ('AUTHORISED', 'CALLED') OR untold OR provider = 'none' OR $4::text[] IS NULL
           OR provider || '/' || environment = ANY ($4::text[]))
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
