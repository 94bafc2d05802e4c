"""The visitor, as PostgreSQL knows them: kept out by an operator (R9), or with as many seats as one may have (F3)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import databases

from core.clock import iso
from core.database import raw
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.venue.event import Event

_REMOVED = """
SELECT until, actor FROM removals
WHERE event_id = $1 AND visitor = $2 AND ended_at IS NULL AND until > now() ORDER BY until DESC LIMIT 1
"""
_SEATS = """
SELECT count(*) FROM reservations r JOIN reservation_seats line ON line.reservation_id = r.id AND line.live
WHERE r.event_id = $1 AND r.visitor = $2 AND r.status IN ('PAYING', 'CONFIRMED')
"""


async def allowed(database: databases.Database, event: Event, visitor: str) -> AsyncIterator[Finding]:
    """Raises StoreUnavailable."""
    async with raw(database) as connection:
        removal = await connection.fetchrow(_REMOVED, event.id, visitor)
        seats = await connection.fetchval(_SEATS, event.id, visitor)
    if removal is not None:
        detail = f"{visitor} is kept out until {iso(removal['until'])} by {removal['actor']}"
        yield fail("removal", Cause.VISITOR_REMOVED, detail)
    detail = f"{visitor} has {seats} of at most {event.max_seats} seats"
    yield warn("seats", Cause.SEAT_LIMIT, detail) if seats >= event.max_seats else passed("seats", detail)
