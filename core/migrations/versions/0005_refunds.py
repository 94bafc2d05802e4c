"""Refunds that a provider refuses: since when a person has to look at one."""

from core.migrations.script import run

revision = "0005"
down_revision = "0004"
min_program = "0005"

_SCHEMA = """
ALTER TABLE payments ADD COLUMN needs_person_at timestamptz;
CREATE INDEX payments_for_people ON payments (needs_person_at) WHERE needs_person_at IS NOT NULL;
"""


def upgrade() -> None:
    run(_SCHEMA)
