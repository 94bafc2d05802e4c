"""Sessions of the console: listed, and ended before their time (R9)."""

from core.migrations.script import run

revision = "0014"
down_revision = "0013"
min_program = "0014"

_SCHEMA = """
CREATE TABLE operator_sessions (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    address text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    ends_at timestamptz NOT NULL,
    ended_at timestamptz
);
"""


def upgrade() -> None:
    run(_SCHEMA)
