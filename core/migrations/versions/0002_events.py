"""Events: the order of each reservation's outbox rows, dead letters."""

from core.migrations.script import run

revision = "0002"
down_revision = "0001"
min_program = "0002"

_SCHEMA = """
-- The name of the one consumer that a dead letter is sent to again; NULL for an ordinary event, which is for all.
ALTER TABLE outbox ADD COLUMN only_for text;
-- The message as it was, when it could not be read: it is sent again byte by byte.
ALTER TABLE outbox ADD COLUMN raw bytea;
ALTER TABLE outbox ADD COLUMN error text;

-- Rows are written once, updated twice and deleted after a week: room for the updates, and a vacuum that does not
-- wait for a fifth of a table that is always full of sent rows.
ALTER TABLE outbox SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);

-- "Is there an earlier unsent row of this reservation?" is asked for every row claimed.
CREATE INDEX outbox_unsent_of_reservation ON outbox (reservation_id, id) WHERE sent_at IS NULL;

CREATE TABLE dead_letters (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer       text NOT NULL,
    -- Where the message was: `outbox/ID`, or `TOPIC/PARTITION/OFFSET`.
    source         text NOT NULL,
    -- NULL, all four, when the message could not be read; then `raw` is what there is.
    event_uid      uuid,
    reservation_id uuid,
    type           text,
    payload        jsonb,
    raw            bytea,
    error          text NOT NULL,
    attempts       integer NOT NULL,
    failed_at      timestamptz NOT NULL DEFAULT now(),
    retried_at     timestamptz,
    UNIQUE (consumer, source)
);
CREATE INDEX dead_letters_open ON dead_letters (id) WHERE retried_at IS NULL;
"""


def upgrade() -> None:
    run(_SCHEMA)
