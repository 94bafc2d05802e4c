"""The stores, for commands that work on them directly and then end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from cli.audit import note
from cli.say import log_to_stderr
from core.embedded import engines
from core.settings import Settings

if TYPE_CHECKING:
    import databases

    from core.venue.event_store_postgres import EventStore

T = TypeVar("T")


def with_events(work: Callable[[EventStore], Awaitable[T]]) -> T:
    """Runs `work`, which only reads, on the stores that the settings name, or on the embedded ones.

    Raises StartupError, also for an empty database or an older schema.
    """
    return connected(lambda events, _: work(events), writes=False)


def change_event(work: Callable[[EventStore], Awaitable[T]], action: str, slug: str, **detail: Any) -> T:
    """`with_events` for what changes a sale: it is in the audit trail afterwards."""

    async def noted(events: EventStore, database: databases.Database) -> T:
        done = await work(events)
        await note(database, action, slug, **detail)
        return done

    return connected(noted)


def connected(work: Callable[[EventStore, databases.Database], Awaitable[T]], *, writes: bool = True) -> T:
    """`with_events`, with the database as well; what `writes` sets an empty database up."""
    # Here: `onsale --help` and `onsale plan check` need none of it, and it takes most of a second to load.
    from core.database import open_database
    from core.payments.composition import takes
    from core.process.clock_redis import clock_of
    from core.schema_postgres import require_schema
    from core.venue.event_store_postgres import EventStore

    settings = Settings.load()
    log_to_stderr(settings)

    async def opened(database_url: str, redis_url: str) -> T:
        await require_schema(database_url, writes=writes)
        database = await open_database(database_url, 2)
        try:
            async with clock_of(redis_url) as clock:
                return await work(EventStore(database, clock, partial(takes, settings)), database)
        finally:
            await database.disconnect()

    with engines(settings) as started:
        return asyncio.run(opened(started.database_url, started.redis_url))
