-- A return: the provider's key becomes the open attempt's, and the attempt is claimed to be confirmed.
-- $1 order  $2 provider's key  $3 what else the return brought (jsonb)  $4 claim token, or NULL: any process may take it
-- $5 lease, seconds  $6 grace after the time to pay, seconds  $7 refused keys, at most
-- One row, or none: not open (any more), the key was refused before, or too many were.
-- `status || ''`, here and in the other steps: no index has that, so each finds its reservation by its key. In the first
-- minute of a sale, without statistics, PostgreSQL else walks through all that are being paid for.
WITH claimed AS (
    UPDATE payment_attempts p
    SET state = 'AUTHORISED', provider_key = $2, authorisation = $3, authorised_at = now(), next_attempt_at = now(),
        tries = 0, code = NULL, claimed_by = $4,
        claimed_until = CASE WHEN $4::text IS NOT NULL THEN now() + make_interval(secs => $5::float8) END, updated_at = now()
    FROM reservations held
    WHERE p.order_no = $1 AND p.state = 'OPEN' AND held.id = p.reservation_id AND held.status || '' = 'PAYING'
      AND now() < held.until + make_interval(secs => $6::float8)
      AND NOT ($2 = ANY (p.refused_keys)) AND cardinality(p.refused_keys) < $7
      AND (p.claimed_until IS NULL OR p.claimed_until <= now())
    RETURNING p.*
)
--#include claim_columns.sql
