"""Seats a buyer: counted over all baskets and purchases of a visitor, and of an e-mail address (F3)."""

from core.migrations.script import run

revision = "0022"
down_revision = "0015"
min_program = "0014"

_SHARE = """
-- What the address is counted under (core/booking/addresses.py). Of earlier reservations: as it was typed.
ALTER TABLE reservations ADD COLUMN address_key text NOT NULL DEFAULT '';
UPDATE reservations SET address_key = lower(email);
CREATE INDEX reservations_of_address ON reservations (event_id, address_key) WHERE status IN ('PAYING', 'CONFIRMED');

-- Both wait for whoever counts for the same buyer at this moment, until that statement is committed, and count then:
-- each query of a VOLATILE function sees what was committed before it, whenever the statement around it began
-- (PostgreSQL, "Function Volatility Categories"). So of two statements at once the second counts the first one's seats.
CREATE FUNCTION seats_of_visitor(of_event bigint, of_visitor text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    counted bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('visitor ' || of_event || ' ' || of_visitor, 0));
    SELECT count(*) INTO counted
    FROM reservations r JOIN reservation_seats line ON line.reservation_id = r.id AND line.live
    WHERE r.visitor = of_visitor AND r.event_id = of_event AND r.status IN ('PAYING', 'CONFIRMED');
    RETURN counted;
END
$$;

-- `of_states`: states of an attempt in which a reservation that is being paid for counts. `besides`: one that does not.
CREATE FUNCTION seats_of_address(of_event bigint, of_address text, of_states text[], besides uuid)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    counted bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('address ' || of_event || ' ' || of_address, 0));
    SELECT count(*) INTO counted
    FROM reservations r JOIN reservation_seats line ON line.reservation_id = r.id AND line.live
    WHERE r.event_id = of_event AND r.address_key = of_address AND r.status IN ('PAYING', 'CONFIRMED')
      AND r.id IS DISTINCT FROM besides
      AND (r.status = 'CONFIRMED' OR EXISTS (
          SELECT FROM payment_attempts p WHERE p.reservation_id = r.id AND p.state = ANY (of_states)
      ));
    RETURN counted;
END
$$;
"""


def upgrade() -> None:
    run(_SHARE)
