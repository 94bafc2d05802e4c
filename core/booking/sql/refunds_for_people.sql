-- How many refunds a person has to look at.
SELECT count(*) FROM payments WHERE needs_person_at IS NOT NULL
