"""Which programs can work with this schema; dead letters that an operator lets go of (R7, R10)."""

from core.migrations.script import run

revision = "0019"
down_revision = "0014"
min_program = "0014"

_SCHEMA = """
-- One row: the latest `min_program` of the migrations that were made (core/schema_postgres.py).
CREATE TABLE schema_program (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    min_program text NOT NULL
);
-- Kept, so that a message that is read once more from Kafka is not buried anew.
ALTER TABLE dead_letters ADD COLUMN discarded_at timestamptz;
DROP INDEX dead_letters_open;
CREATE INDEX dead_letters_open ON dead_letters (id) WHERE retried_at IS NULL AND discarded_at IS NULL;
"""


def upgrade() -> None:
    run(_SCHEMA)
