"""A consumer whose effect is a row in PostgreSQL, for tests of what happens to events on the way."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Sequence

import asyncpg
import databases

from core.messaging.consumer import DependencyAway
from core.messaging.reservation_message import EventType, ReservationMessage
from core.messaging.retry import RetryPlan
from tests.outbox_rows import fetch

#: Tries and pauses of a test.
QUICK = RetryPlan(3, first_pause=0.05, away_seconds=0.2)


class Ledger:
    """Writes a row for each event, then does what a test says: `spoiled` events raise, `away` is a missing mail
    server, `after_effect` is called with the transaction still open."""

    def __init__(
        self,
        name: str = "ledger",
        *,
        batch: int = 1,
        concurrency: int = 4,
        after_effect: Callable[[], None] | None = None,
    ) -> None:
        self.name, self.batch, self.concurrency = name, batch, concurrency
        self.types = set(EventType)
        self.spoiled: set[uuid.UUID] = set()
        self.away = False
        self.calls: list[list[uuid.UUID]] = []
        self._after_effect = after_effect

    async def handle(self, connection: asyncpg.Connection, events: Sequence[ReservationMessage]) -> None:
        self.calls.append([event.uid for event in events])
        for event in events:
            await connection.execute(
                "INSERT INTO test_effects (consumer, event_uid, reservation_id, type) VALUES ($1, $2, $3, $4)",
                self.name,
                event.uid,
                event.reservation_id,
                event.type,
            )
        if self._after_effect is not None:
            self._after_effect()
            await asyncio.Event().wait()
        if self.away:
            raise DependencyAway("mail server")
        if self.spoiled & {event.uid for event in events}:
            raise RuntimeError("spoiled")


async def prepare(database: databases.Database) -> None:
    """Empty event tables, and the ledger's."""
    for table in ("outbox", "processed_events", "dead_letters", "in_hand", "events"):
        await fetch(database, f"DELETE FROM {table}")
    await fetch(
        database,
        "CREATE TABLE IF NOT EXISTS test_effects "
        "(id bigserial, consumer text, event_uid uuid, reservation_id uuid, type text)",
    )
    await fetch(database, "DELETE FROM test_effects")


async def effects(database: databases.Database, consumer: str = "ledger") -> Counter[uuid.UUID]:
    """How often each event had its effect."""
    rows = await fetch(database, "SELECT event_uid FROM test_effects WHERE consumer = $1", consumer)
    return Counter(row["event_uid"] for row in rows)
