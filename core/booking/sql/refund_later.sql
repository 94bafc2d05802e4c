-- A refund did not work: gives the claim back, with what the provider said.
-- $1 reservation id  $2 claim token  $3 Redis and the browser have been told (boolean)
-- $4 pause before the next try, seconds, or NULL: none until an operator says so
-- $5 a person has to look at it (boolean)  $6 code
-- One row: whether the mark is new; none when the claim was lost.
WITH held AS MATERIALIZED (
    SELECT reservation_id, needs_person_at FROM payments WHERE reservation_id = $1 AND claimed_by = $2 FOR UPDATE
)
UPDATE payments p
SET untold = untold AND NOT $3, claimed_by = NULL, claimed_until = NULL, error_code = $6, updated_at = now(),
    next_attempt_at = coalesce(now() + make_interval(secs => $4::float8), 'infinity'),
    needs_person_at = CASE WHEN $5::boolean THEN coalesce(p.needs_person_at, now()) ELSE p.needs_person_at END
FROM held WHERE p.reservation_id = held.reservation_id
RETURNING $5::boolean AND held.needs_person_at IS NULL AS newly
