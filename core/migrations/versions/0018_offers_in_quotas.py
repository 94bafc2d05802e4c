"""An open offer of the waiting list has its seats in the quota of a phase (F7)."""

from core.migrations.script import run

revision = "0018"
down_revision = "0026"
min_program = "0024"

_OFFERS = """
-- The phase that the seats count in; NULL: the one in which the offer is taken, and so in each until then.
ALTER TABLE offers ADD COLUMN phase text;

-- Whether so many seats more fit into what the phase may sell: besides what it is selling and has sold, and what it
-- offers, but for the offer that is being taken. From here to the end of the transaction nobody else is told so of this
-- phase; one without a quota is asked nothing.
CREATE FUNCTION phase_takes(of_event bigint, of_phase text, more integer, but_offer uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    most integer;
    counted bigint;
BEGIN
    SELECT quota INTO most FROM phases WHERE event_id = of_event AND name = of_phase;
    IF most IS NULL THEN
        RETURN true;
    END IF;
    counted := seats_of_phase(of_event, of_phase) + more;
    RETURN counted + coalesce((
        SELECT sum(cardinality(ordinals)) FROM offers
        WHERE event_id = of_event AND (phase = of_phase OR phase IS NULL) AND state = 'OPEN' AND until > now()
          AND id IS DISTINCT FROM but_offer
    ), 0) <= most;
END
$$;
"""


def upgrade() -> None:
    run(_OFFERS)
