"""How often a ticket's e-mail was sent again: of one reservation, and to one address (T2)."""

from core.migrations.script import run

revision = "0027"
down_revision = "0017"
min_program = "0014"

_SCHEMA = """
-- `subject`: a reservation's id; or an event's, and what an address is counted under. `since`: the first of the `sent` in a row.
CREATE TABLE mail_allowances (
    subject text PRIMARY KEY,
    since timestamptz NOT NULL,
    latest timestamptz NOT NULL,
    sent integer NOT NULL
);
CREATE INDEX mail_allowances_age ON mail_allowances (latest);
"""


def upgrade() -> None:
    run(_SCHEMA)
