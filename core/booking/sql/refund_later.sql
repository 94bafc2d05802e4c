-- A refund did not work: gives the claim back, with what the provider said.
-- $1 refund  $2 claim token  $3 pause before the next try, seconds, or NULL: none until an operator says so
-- $4 a person has to look at it (boolean)  $5 code  $6 the provider refused: the next try is another request (boolean)
-- One row: whether the mark is new; none when the claim was lost.
WITH held AS MATERIALIZED (
    SELECT id, needs_person_at FROM refunds WHERE id = $1 AND claimed_by = $2 FOR UPDATE
)
UPDATE refunds f
SET claimed_by = NULL, claimed_until = NULL, code = $5, round = round + $6::boolean::int,
    next_attempt_at = coalesce(now() + make_interval(secs => $3::float8), 'infinity'),
    needs_person_at = CASE WHEN $4::boolean THEN coalesce(f.needs_person_at, now()) ELSE f.needs_person_at END
FROM held WHERE f.id = held.id
RETURNING $4::boolean AND held.needs_person_at IS NULL AS newly
