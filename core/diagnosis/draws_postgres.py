"""Draws that are due and have not been told: everybody who gathered waits for them (F1)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import databases

from core.database import raw
from core.diagnosis.finding import Cause, Finding, fail, passed
from core.sentences import said

#: A draw of 200,000 takes some seconds, and a beacon speaks within a minute of the opening.
PATIENCE_SECONDS = 60.0


async def draws(database: databases.Database) -> AsyncIterator[Finding]:
    """Raises StoreUnavailable."""
    async with raw(database) as connection:
        late = await connection.fetch(
            """
            SELECT events.slug, phase, state, beacon_source, beacon_round,
                   extract(epoch FROM now() - draw_at)::float AS late
            FROM draws JOIN events ON events.id = draws.event_id
            WHERE told_at IS NULL AND draw_at < now() - make_interval(secs => $1) AND events.status <> 'CLOSED'
            ORDER BY draw_at
            """,
            PATIENCE_SECONDS,
        )
    for row in late:
        waits = row["state"] == "frozen" and row["beacon_source"] is not None
        slug, phase, seconds = row["slug"], row["phase"], round(row["late"])
        told = (
            said(
                "draw.waits",
                slug=slug,
                phase=phase,
                round=str(row["beacon_round"]),
                beacon=row["beacon_source"],
                seconds=seconds,
            )
            if waits
            else said("draw.stands", slug=slug, phase=phase, seconds=seconds)
        )
        yield fail("draw", Cause.DRAW_WAITS, told)
    if not late:
        yield passed("draw", said("draw.none_late"))
