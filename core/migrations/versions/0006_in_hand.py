"""Events: what consumers have in hand, so that a message that kills its process is found; room for an outbox's claims."""

from core.migrations.script import run

revision = "0006"
down_revision = "0005"
min_program = "0006"

_SCHEMA = """
-- One row for each partition that a consumer group reads. `owner`: the process that has these offsets in hand, NULL when
-- none has. `alone`: it has one message and no other, of any partition, in hand. `suspect`: a process had the first of
-- them in hand and is gone; `deaths`: so many had it alone.
CREATE TABLE in_hand (
    consumer_group text NOT NULL,
    topic          text NOT NULL,
    partition      integer NOT NULL,
    first_offset   bigint NOT NULL,
    last_offset    bigint NOT NULL,
    owner          text,
    alone          boolean NOT NULL,
    suspect        boolean NOT NULL DEFAULT false,
    deaths         integer NOT NULL DEFAULT 0,
    taken_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 20);

-- A claim copies a row. With room for the copy on the same page no index is touched: measured, half of what it costs.
ALTER TABLE outbox SET (fillfactor = 50);
"""


def upgrade() -> None:
    run(_SCHEMA)
