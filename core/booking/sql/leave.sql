-- Gives a claim back after what was possible has been done; nothing when it was lost.
-- $1 reservation id  $2 claim token  $3 Redis and the browser have been told (boolean)
-- $4 pause before the next attempt, seconds, or NULL: as it was
UPDATE payments
SET untold = untold AND NOT $3, claimed_by = NULL, claimed_until = NULL,
    next_attempt_at = coalesce(now() + make_interval(secs => $4::float8), next_attempt_at)
WHERE reservation_id = $1 AND claimed_by = $2
