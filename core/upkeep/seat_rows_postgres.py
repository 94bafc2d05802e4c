"""Pages of seats as PostgreSQL has them, for the consistency job: from a replica when there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import databases

from core.database import BACKGROUND_SECONDS, raw
from core.upkeep.mismatch import Row

_COLUMNS = """
SELECT s.ordinal, s.status, s.fence, s.updated_at, coalesce(r.visitor, '') AS payer FROM shown_seats s
LEFT JOIN reservation_seats rs
    ON s.status = 'PAYING' AND rs.event_id = s.event_id AND rs.ordinal = s.ordinal AND rs.live
LEFT JOIN reservations r ON r.id = rs.reservation_id
"""
_ALL = _COLUMNS + "WHERE s.event_id = $1 AND s.ordinal > $2 ORDER BY s.ordinal LIMIT $3"
_RECENT = (
    _COLUMNS
    + "WHERE s.event_id = $1 AND s.ordinal > $2 AND s.updated_at > now() - $4::interval ORDER BY s.ordinal LIMIT $3"
)
_SOME = _COLUMNS + "WHERE s.event_id = $1 AND s.ordinal = ANY($2::int[]) ORDER BY s.ordinal"
_ONE = _COLUMNS + "WHERE s.event_id = $1 AND s.ordinal = $2"


class SeatRows:
    """Raises StoreUnavailable."""

    def __init__(self, *, database: databases.Database, replica: databases.Database | None) -> None:
        self._database = database
        self._replica = replica or database

    async def pages(
        self, event_id: int, *, size: int, changed_within: timedelta | None = None
    ) -> AsyncIterator[Sequence[Row]]:
        """All seats in ordinal order, or those changed within a time; from the replica, so perhaps a little old."""
        last = -1
        while True:
            async with raw(self._replica) as connection:
                if changed_within is None:
                    records = await connection.fetch(_ALL, event_id, last, size, timeout=BACKGROUND_SECONDS)
                else:
                    records = await connection.fetch(
                        _RECENT, event_id, last, size, changed_within, timeout=BACKGROUND_SECONDS
                    )
            if not records:
                return
            yield [Row(**record) for record in records]
            last = records[-1]["ordinal"]

    async def some(self, event_id: int, ordinals: Sequence[int]) -> Sequence[Row]:
        """The seats named, in ordinal order, from the replica."""
        async with raw(self._replica) as connection:
            return [Row(**record) for record in await connection.fetch(_SOME, event_id, list(ordinals))]

    async def one(self, event_id: int, ordinal: int) -> Row | None:
        """One seat, from the primary."""
        async with raw(self._database) as connection:
            record = await connection.fetchrow(_ONE, event_id, ordinal)
        return Row(**record) if record else None
