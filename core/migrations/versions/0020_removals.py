"""Removals that last: a visitor or a network that an operator keeps out of a sale until a time (R9)."""

from core.migrations.script import run

revision = "0020"
down_revision = "0022"
min_program = "0014"

_SCHEMA = """
CREATE TABLE removals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id bigint NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    visitor text,
    network cidr,
    until timestamptz NOT NULL,
    actor text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    CHECK (num_nonnulls(visitor, network) = 1)
);
-- Every process reads those in force once a second.
CREATE INDEX removals_in_force ON removals (until) WHERE ended_at IS NULL;
"""


def upgrade() -> None:
    run(_SCHEMA)
