"""Whose turn has been, in PostgreSQL, so that a lost Redis gives nobody a second one ahead of others (R4)."""

from __future__ import annotations

from collections.abc import Sequence

import databases

from core.database import raw
from core.waiting_room.turn import Turn

# Numbers only grow: what is written late never replaces a later turn.
_NOTE = """
INSERT INTO turns (event_id, visitor, number, until)
SELECT $1, t.visitor, t.number, t.until
FROM unnest($2::text[], $3::bigint[], $4::timestamptz[]) AS t (visitor, number, until)
ON CONFLICT (event_id, visitor) DO UPDATE SET number = excluded.number, until = excluded.until, noted_at = now()
WHERE turns.number <= excluded.number
"""


class Turns:
    """Raises StoreUnavailable; every call may be repeated."""

    def __init__(self, database: databases.Database) -> None:
        self._database = database

    async def note(self, event_id: int, turns: Sequence[Turn]) -> None:
        """In the order in which they were: of several of one visitor the last counts."""
        last = {turn.visitor: turn for turn in turns}.values()
        async with raw(self._database) as connection:
            await connection.execute(
                _NOTE,
                event_id,
                [turn.visitor for turn in last],
                [turn.number for turn in last],
                [turn.until for turn in last],
            )

    async def last(self, event_id: int, visitor: str) -> Turn | None:
        """None for who never had one, as far as is known here."""
        async with raw(self._database) as connection:
            row = await connection.fetchrow(
                "SELECT number, until FROM turns WHERE event_id = $1 AND visitor = $2", event_id, visitor
            )
        return None if row is None else Turn(visitor, row["number"], row["until"])
