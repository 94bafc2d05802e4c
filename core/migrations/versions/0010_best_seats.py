"""Best seats: what everybody looks at, and whether picking by hand may leave a single seat over."""

from core.migrations.script import run

revision = "0010"
down_revision = "0009"
min_program = "0010"

_SCHEMA = """
ALTER TABLE events ADD COLUMN orphans text NOT NULL DEFAULT 'allow' CHECK (orphans IN ('allow', 'forbid'));
-- x and y in plan units; NULL: what the plan says.
ALTER TABLE events ADD COLUMN focus double precision[] CHECK (cardinality(focus) = 2);
"""


def upgrade() -> None:
    run(_SCHEMA)
