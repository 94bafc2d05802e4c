"""Live sales figures, kept by a consumer of the reservation events."""

from core.migrations.script import run

revision = "0004"
down_revision = "0003"
min_program = "0004"

_SCHEMA = """
-- What is sold at this moment: a cancellation takes away what its confirmation brought. Money in minor units.
CREATE TABLE sales_by_category (
    event_id bigint NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    category text NOT NULL,
    sold     integer NOT NULL,
    revenue  bigint NOT NULL,
    PRIMARY KEY (event_id, category)
) WITH (fillfactor = 50);

-- What happened in each minute (UTC) of the sale.
CREATE TABLE sales_by_minute (
    event_id bigint NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    minute   timestamptz NOT NULL,
    sold     integer NOT NULL,
    revenue  bigint NOT NULL,
    returned integer NOT NULL,
    refunded bigint NOT NULL,
    PRIMARY KEY (event_id, minute)
) WITH (fillfactor = 50);
"""


def upgrade() -> None:
    run(_SCHEMA)
