-- The window of an open attempt could not be prepared, for a reason that is the shop's to mend (P9).
-- $1 order  $2 code
UPDATE payment_attempts SET faulted_at = now(), code = $2, updated_at = now() WHERE order_no = $1 AND state = 'OPEN'
