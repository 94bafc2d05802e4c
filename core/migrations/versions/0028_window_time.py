"""Until when the time of stops of the sale's clock was given to those who pay (R4)."""

from core.migrations.script import run

revision = "0028"
down_revision = "0018"
min_program = "0024"

_SCHEMA = """
-- The end of the last stop for which open payment windows were lengthened: each stop counts once.
ALTER TABLE events ADD COLUMN time_given_until timestamptz;
"""


def upgrade() -> None:
    run(_SCHEMA)
