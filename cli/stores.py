"""The stores, for commands that work on them directly and then end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from core.clock import SystemClock
from core.embedded import engines
from core.settings import Settings

if TYPE_CHECKING:
    from core.venue.event_store_postgres import EventStore

T = TypeVar("T")


def with_events(work: Callable[[EventStore], Awaitable[T]]) -> T:
    """Runs `work` on the stores that the settings name, or on the embedded ones, migrated. Raises StartupError."""
    # Here: `onsale --help` and `onsale plan check` need none of it, and it takes most of a second to load.
    from core.database import migrate, open_database
    from core.venue.event_store_postgres import EventStore

    settings = Settings.load()

    async def connected(database_url: str) -> T:
        await migrate(database_url)
        database = await open_database(database_url, 2)
        try:
            return await work(EventStore(database, SystemClock()))
        finally:
            await database.disconnect()

    with engines(settings) as started:
        return asyncio.run(connected(started.database_url))
