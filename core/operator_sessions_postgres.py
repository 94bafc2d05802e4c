"""Sessions of the operators' console: which are open, and which were ended before their time (R9).

A session is good by its signature; PostgreSQL only knows who has one, and who has none any more. With PostgreSQL away
operators get in all the same: that is when they are needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import databases

from core.clock import Clock
from core.database import raw
from core.errors import StoreUnavailable
from core.process.once import Once

#: How long a process may go on believing in a session that another one has ended, in seconds.
FRESH_SECONDS = 1.0
# What a call of an operator waits for PostgreSQL because of this.
_PATIENCE_SECONDS = 0.5
# Rows are kept for a month after their end.
_OPEN = """
WITH old AS (DELETE FROM operator_sessions WHERE ends_at < now() - interval '30 days')
INSERT INTO operator_sessions (id, name, address, ends_at) VALUES ($1, $2, $3, $4)
"""
_LIST = """
SELECT id, name, address, opened_at, ends_at FROM operator_sessions
WHERE ended_at IS NULL AND ends_at > now() ORDER BY opened_at DESC LIMIT 200
"""
_END = "UPDATE operator_sessions SET ended_at = now() WHERE id = $1 AND ended_at IS NULL AND ends_at > now()"
_ENDED = "SELECT id FROM operator_sessions WHERE ended_at IS NOT NULL AND ends_at > now()"


@dataclass(frozen=True, slots=True)
class OperatorSession:
    """One that is open; `name` is what its operator gave at sign-in."""

    id: UUID
    name: str
    address: str
    opened_at: datetime
    ends_at: datetime


class OperatorSessions:
    """All but `is_ended` raise StoreUnavailable."""

    def __init__(self, database: databases.Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._ended: frozenset[UUID] = frozenset()
        self._until = 0.0
        self._asking = Once[None]("operator sessions")

    async def open(self, id: UUID, name: str, address: str, ends_at: datetime) -> None:
        async with raw(self._database, writes=True) as connection:
            await connection.execute(_OPEN, id, name, address, ends_at)

    async def list(self) -> Sequence[OperatorSession]:
        """The latest first, 200 at most."""
        async with raw(self._database) as connection:
            return [OperatorSession(*row.values()) for row in await connection.fetch(_LIST)]

    async def end(self, id: UUID) -> bool:
        """Here at once, in other processes within `FRESH_SECONDS`. False when no such session is open."""
        async with raw(self._database, writes=True) as connection:
            done: str = await connection.execute(_END, id)
        self._ended |= {id}
        return done == "UPDATE 1"

    async def is_ended(self, id: UUID) -> bool:
        """As PostgreSQL said a second ago, or when it was last there."""
        if self._clock.monotonic() >= self._until:
            with contextlib.suppress(StoreUnavailable, TimeoutError):
                await self._asking("ended", self._look, limit=_PATIENCE_SECONDS)
            self._until = self._clock.monotonic() + FRESH_SECONDS
        return id in self._ended

    async def _look(self) -> None:
        async with raw(self._database) as connection:
            self._ended = frozenset(row["id"] for row in await connection.fetch(_ENDED))
