"""Seats of a category that has no price are not for sale (V5).

A plan whose seats name a category as a number, where there is no such category, was taken: its seats cost nothing.
"""

from core.migrations.script import run

revision = "0032"
down_revision = "0031"
min_program = "0024"

BLOCK = """
UPDATE seats AS seat SET status = 'BLOCKED', version = seat.version + 1, updated_at = now()
FROM events WHERE events.id = seat.event_id AND seat.status = 'AVAILABLE' AND NOT events.prices ? seat.category;
"""


def upgrade() -> None:
    run(BLOCK)
