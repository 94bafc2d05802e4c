-- The money side of a reservation, for operators.
-- $1 reservation id
SELECT status, provider, error_code, attempts, needs_person_at, claimed_until > now() AS busy,
       CASE WHEN status = 'REFUNDING' THEN nullif(next_attempt_at, 'infinity') END AS next_try_at
FROM payments WHERE reservation_id = $1
