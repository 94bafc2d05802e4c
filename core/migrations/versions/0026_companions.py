"""Companions' seats beside wheelchair places (F8)."""

from core.migrations.script import run

revision = "0026"
down_revision = "0023"
min_program = "0024"

_SCHEMA = """
-- How many seats beside each wheelchair place belong to it; 0: none.
ALTER TABLE events ADD COLUMN companions integer NOT NULL DEFAULT 0 CHECK (companions BETWEEN 0 AND 3);
"""


def upgrade() -> None:
    run(_SCHEMA)
