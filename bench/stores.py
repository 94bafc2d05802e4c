"""PostgreSQL and Valkey of the run's own, which do not wait for the disk, and what the benchmarks prepare on them."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cli.load.event import CATEGORY, PRICE, generated_plan
from core import keys
from core.embedded import Engines, engines
from core.runtime import Runtime
from core.schema_postgres import migrate
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent

#: The sockets of `sink.py` only listen: nobody asks them for signs of life, in seconds.
UNHURRIED: Final = {"beat_seconds": 3600.0, "active_grace_seconds": 7200.0, "waiting_grace_seconds": 7200.0}

#: As the product's own connections have it.
PLANNED_ONCE: Final = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}


@contextlib.contextmanager
def stores() -> Iterator[tuple[Settings, Engines]]:
    """Started for the run with their tables, removed after it."""
    with engines_of_run() as (settings, started):
        asyncio.run(migrate(started.database_url))
        yield settings, started


@contextlib.contextmanager
def engines_of_run() -> Iterator[tuple[Settings, Engines]]:
    """Empty. They do not wait for the disk, which would be the same limit for both sides."""
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as folder:
        settings = Settings.load(
            data=Path(folder),
            database_url="",
            redis_url="",
            kafka_bootstrap_servers="",
            rate_limits="off",
            secret_key=secrets.token_hex(16),
            operator_token=secrets.token_hex(16),
            **UNHURRIED,
        )
        with engines(settings, durable=False) as started:
            given = {"database_url": started.database_url, "redis_url": started.redis_url}
            yield settings.model_copy(update=given), started


async def event_of(runtime: Runtime, seats: int, *, active_limit: int = 100_000) -> Event:
    """An open event with its board in Redis."""
    event = await runtime.events.create(
        NewEvent(
            slug=f"bench-{secrets.token_hex(5)}",
            name="Bench",
            prices={CATEGORY: PRICE},
            status=SaleStatus.OPEN,
            active_limit=active_limit,
            max_seats=4,
        ),
        generated_plan(seats),
    )
    await runtime.seats.ensure_board(event)
    return event


async def let_in(runtime: Runtime, event: Event, visitors: Sequence[str]) -> None:
    """All of them active, without the queue."""
    # What `admit` of the waiting room writes.
    now, micros = await runtime.redis.time()
    at = now * 1000 + micros // 1000
    for first in range(0, len(visitors), 1000):
        some = visitors[first : first + 1000]
        await runtime.redis.zadd(keys.active_users(event.slug), dict.fromkeys(some, at))
        await runtime.redis.zadd(keys.active_until(event.slug), dict.fromkeys(some, at + 3_600_000))
