-- Why a phase or a code would refuse these seats, as things stand.
-- $1 event id  $2 phase, or NULL  $3 seats more  $4 code (its digest), or NULL  $5 the offer that the seats are in, or NULL
-- One row: `room` and `good` (booleans).
SELECT $2::text IS NULL OR phase_takes($1, $2, $3, $5::uuid) AS room, $4::bytea IS NULL OR code_is_good($1, $4) AS good
