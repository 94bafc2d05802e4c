"""Access codes, and the phase and code that a reservation was made with (F7)."""

from core.migrations.script import run

revision = "0016"
down_revision = "0020"
min_program = "0014"

_CODES = """
CREATE TABLE code_groups (
    event_id bigint NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    name     text NOT NULL,
    -- Purchases that each of its codes is good for.
    uses     integer NOT NULL CHECK (uses > 0),
    made_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, name)
);
-- A code itself is kept nowhere: `digest` is its HMAC (core/venue/codes.py).
CREATE TABLE codes (
    event_id   bigint NOT NULL,
    digest     bytea NOT NULL,
    group_name text NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (event_id, digest),
    FOREIGN KEY (event_id, group_name) REFERENCES code_groups (event_id, name) ON DELETE CASCADE
);
CREATE INDEX codes_of_group ON codes (event_id, group_name);

-- Grows with each change of an event's codes: what a process has read of them is old then.
ALTER TABLE events ADD COLUMN codes_version integer NOT NULL DEFAULT 0;

ALTER TABLE reservations ADD COLUMN phase text, ADD COLUMN code bytea;
CREATE INDEX reservations_of_phase ON reservations (event_id, phase) WHERE phase IS NOT NULL;
CREATE INDEX reservations_of_code ON reservations (event_id, code) WHERE code IS NOT NULL;

-- Both wait for whoever counts for the same phase, or code, at this moment, until that statement is committed, and count
-- then: each query of a VOLATILE function sees what was committed before it, whenever the statement around it began.
-- Rows of what is being paid for, and paid: their live seats.
CREATE FUNCTION seats_of_phase(of_event bigint, of_phase text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    counted bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('phase ' || of_event || ' ' || of_phase, 0));
    SELECT count(*) INTO counted
    FROM reservations r JOIN reservation_seats line ON line.reservation_id = r.id AND line.live
    WHERE r.event_id = of_event AND r.phase = of_phase AND r.status IN ('PAYING', 'CONFIRMED');
    RETURN counted;
END
$$;

-- Purchases that spent the code: being paid for, paid, and paid and given back since.
CREATE FUNCTION uses_of_code(of_event bigint, of_code bytea) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    counted bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('code ' || of_event || ' ' || encode(of_code, 'hex'), 0));
    SELECT count(*) INTO counted FROM reservations
    WHERE event_id = of_event AND code = of_code
      AND (status IN ('PAYING', 'CONFIRMED') OR status = 'CANCELLED' AND ticket_code IS NOT NULL);
    RETURN counted;
END
$$;

-- Whether so many seats more fit into what the phase may sell; a phase without a quota is asked nothing.
CREATE FUNCTION phase_has_room(of_event bigint, of_phase text, more integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    most integer;
BEGIN
    SELECT quota INTO most FROM phases WHERE event_id = of_event AND name = of_phase;
    RETURN most IS NULL OR seats_of_phase(of_event, of_phase) + more <= most;
END
$$;

-- Whether the code is good for one purchase more.
CREATE FUNCTION code_is_good(of_event bigint, of_code bytea) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    used bigint := uses_of_code(of_event, of_code);
BEGIN
    RETURN EXISTS (
        SELECT FROM codes c JOIN code_groups g ON g.event_id = c.event_id AND g.name = c.group_name
        WHERE c.event_id = of_event AND c.digest = of_code AND c.revoked_at IS NULL AND used < g.uses
    );
END
$$;
"""


def upgrade() -> None:
    run(_CODES)
