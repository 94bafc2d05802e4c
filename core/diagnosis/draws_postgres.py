"""Draws that are due and have not been told: everybody who gathered waits for them (F1)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import databases

from core.database import raw
from core.diagnosis.finding import Cause, Finding, fail, passed

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
        what = (
            f"waits for round {row['beacon_round']} of its beacon {row['beacon_source']}" if waits else "does not go on"
        )
        yield fail(
            "draw", Cause.DRAW_WAITS, f"the draw of {row['slug']} ({row['phase']}) {what}, {row['late']:.0f} s late"
        )
    if not late:
        yield passed("draw", "no draw is late")
