"""Whose turn has been, so that a lost Redis gives nobody a second one ahead of those who waited (R4)."""

from core.migrations.script import run

revision = "0023"
down_revision = "0024"
min_program = "0024"

_TURNS = """
-- until NULL: the session is over.
CREATE TABLE turns (
    event_id bigint NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    visitor text NOT NULL,
    number bigint NOT NULL,
    until timestamptz,
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, visitor)
);
CREATE INDEX turns_by_age ON turns (noted_at);
"""


def upgrade() -> None:
    run(_TURNS)
