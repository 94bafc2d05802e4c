"""Booking: the end of a reservation is told to Redis and the browser even when the process dies in between."""

from core.migrations.script import run

revision = "0003"
down_revision = "0002"
min_program = "0003"

_SCHEMA = """
-- The reservation has ended in PostgreSQL; Redis and the buyer's browser have not been told of it yet.
ALTER TABLE payments ADD COLUMN untold boolean NOT NULL DEFAULT false;
ALTER TABLE payments SET (fillfactor = 70);
ALTER TABLE reservations SET (fillfactor = 80);

DROP INDEX payments_to_do;
CREATE INDEX payments_to_do ON payments (next_attempt_at) WHERE status IN ('NEW', 'CALLED', 'REFUNDING') OR untold;
"""


def upgrade() -> None:
    run(_SCHEMA)
