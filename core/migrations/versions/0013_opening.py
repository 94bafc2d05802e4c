"""The fair opening: phases, and draws that anybody can check (F1, F2, F7)."""

from core.migrations.script import run

revision = "0013"
down_revision = "0012"
min_program = "0013"

_OPENING = """
-- Sales that were made before had no pre-queue, and keep none.
ALTER TABLE events ADD COLUMN prequeue_seconds integer NOT NULL DEFAULT 0 CHECK (prequeue_seconds >= 0);

CREATE TABLE phases (
    event_id         bigint NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    name             text NOT NULL,
    opens_at         timestamptz NOT NULL,
    closes_at        timestamptz,
    prequeue_seconds integer NOT NULL CHECK (prequeue_seconds >= 0),
    code_group       text,
    quota            integer CHECK (quota > 0),
    max_seats        integer CHECK (max_seats > 0),
    PRIMARY KEY (event_id, name)
);

CREATE TABLE draws (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id      bigint NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    phase         text NOT NULL,
    state         text NOT NULL DEFAULT 'announced' CHECK (state IN ('announced', 'frozen', 'drawn')),
    draw_at       timestamptz NOT NULL,
    seed          bytea NOT NULL,
    commitment    text NOT NULL,
    beacon_source text,
    beacon_round  bigint,
    beacon_value  text,
    -- The queue numbers after `base` that are kept for the drawn ones.
    base          bigint NOT NULL DEFAULT 0,
    reserved      integer NOT NULL DEFAULT 0,
    root          text,
    -- 32 bytes a receipt: sorted when frozen, in the order of the draw when drawn.
    receipts      bytea,
    created_at    timestamptz NOT NULL DEFAULT now(),
    frozen_at     timestamptz,
    drawn_at      timestamptz,
    -- Every entry has its number: only now the draw is shown.
    told_at       timestamptz
);

-- Digests do not compress.
ALTER TABLE draws ALTER COLUMN receipts SET STORAGE EXTERNAL;
-- One draw to come a phase, whoever announces it.
CREATE UNIQUE INDEX one_draw_to_come ON draws (event_id, phase) WHERE told_at IS NULL;
CREATE INDEX draws_of_event ON draws (event_id, id);
"""


def upgrade() -> None:
    run(_OPENING)
