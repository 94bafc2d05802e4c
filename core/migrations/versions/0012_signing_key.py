"""Which key signs for this installation: its fingerprint, so that a process with another one does not start (R10)."""

from core.migrations.script import run

revision = "0012"
down_revision = "0010"
min_program = "0012"

_SCHEMA = """
-- One row at most. The fingerprint (core/signing_key_postgres.py) says nothing about the key.
CREATE TABLE signing_key (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    fingerprint text NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
"""


def upgrade() -> None:
    run(_SCHEMA)
