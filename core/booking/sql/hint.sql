-- A webhook says that something has happened to an order: its next try is now. Of an attempt that nothing is known of
-- yet, the timer is left alone.
-- $1 order  $2 provider
UPDATE payment_attempts SET next_attempt_at = least(next_attempt_at, now())
WHERE order_no = $1 AND provider = $2 AND state = 'CALLED'
RETURNING order_no
