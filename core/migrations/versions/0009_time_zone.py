"""An event has a time zone: what its pages, e-mails and tickets call the time."""

from alembic import op

revision = "0009"
down_revision = "0007"
min_program = "0009"


def upgrade() -> None:
    # IANA's name. Constant, so that no row is written.
    op.execute("ALTER TABLE events ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC'")
