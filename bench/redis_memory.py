"""What a sale costs Redis: bytes for each waiting visitor and each seat, measured on a Valkey of its own (S11).

    python -m bench.redis_memory [--visitors 200000] [--seats 50000]

Everything is made through the product's own scripts; `docs/memory.md` keeps the figures of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from cli.load.event import generated_plan
from core import keys
from core.embedded import Engines, engines
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent

_BATCH = 500


@asynccontextmanager
async def _installation(folder: Path) -> AsyncIterator[Runtime]:
    from core.schema_postgres import migrate

    settings = Settings.load(data=folder, secret_key="memory-bench-secret", waiting_grace_seconds=3600)
    with engines(settings, durable=False) as started:
        await migrate(started.database_url)
        async with open_runtime(settings, Engines(started.database_url, started.redis_url)) as runtime:
            yield runtime


async def _used(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])


async def _joined(runtime: Runtime, event: Event, count: int) -> list[str]:
    visitors = [f"v_{secrets.token_urlsafe(16)}" for _ in range(count)]
    for first in range(0, count, _BATCH):
        await asyncio.gather(
            *(runtime.waiting_room.join(event, visitor) for visitor in visitors[first : first + _BATCH])
        )
    return visitors


async def _each_key(redis: Redis, slug: str) -> dict[str, int]:
    """Bytes of each key of the event; those of single seats as one line."""
    found: dict[str, int] = {}
    async for key in redis.scan_iter(match=f"*{{{slug}}}*", count=1000):
        name = key.decode()
        line = name.partition("{")[0].rstrip(":") + (":<seat>" if name.startswith("state:seat:") else "")
        found[line] = found.get(line, 0) + int(await redis.memory_usage(name, samples=0) or 0)
    return dict(sorted(found.items(), key=lambda each: -each[1]))


async def _event(runtime: Runtime, slug: str, seats: int) -> Event:
    new = NewEvent(
        slug=slug,
        name="Hall",
        prices={"Standard": 1},
        status=SaleStatus.OPEN,
        active_limit=1,
        hold_seconds=3600,
        max_seats=10,
    )
    return await runtime.events.create(new, generated_plan(seats))


async def measure(visitors: int, seats: int) -> None:
    with tempfile.TemporaryDirectory(prefix="onsale-memory-") as folder:
        async with _installation(Path(folder)) as runtime:
            redis: Any = runtime.redis
            warm = await _event(runtime, "warm", 10)  # scripts and connections are there before anything is counted
            await _joined(runtime, warm, _BATCH)
            await runtime.waiting_room.sweep(warm)
            (inside,) = await redis.zrange(keys.active_users("warm"), 0, -1)
            await runtime.seats.hold(warm, inside.decode(), [1])
            event = await _event(runtime, "hall", seats)
            empty = await _used(redis)
            await runtime.seats.board(event)
            board = await _used(redis) - empty
            print(f"empty                        {empty:>12,} bytes")
            print(f"board of {seats:,} seats        {board:>12,} bytes, {board / seats:.2f} a seat")

            before = await _used(redis)
            await _joined(runtime, event, visitors)
            queue = await _used(redis) - before
            print(f"{visitors:,} waiting            {queue:>12,} bytes, {queue / visitors:.0f} a visitor")
            for name, size in (await _each_key(redis, "hall")).items():
                print(f"    {name:<28}{size:>12,}")

            before, inside = await _used(redis), seats // 10
            full = event
            for limit in range(0, inside + 1, _BATCH):
                full = await runtime.events.update("hall", active_limit=max(limit, 1))
                await runtime.waiting_room.sweep(full)
            active = await _used(redis) - before
            print(f"{inside:,} of them let in        {active:>+12,} bytes, {active / inside:+.0f} a visitor")

            before = await _used(redis)
            buyers = [v.decode() for v in await redis.zrange(keys.active_users("hall"), 0, inside - 1)]
            for first in range(0, len(buyers), 500):
                await asyncio.gather(
                    *(
                        runtime.seats.hold(full, visitor, range(10 * i, 10 * i + 10))
                        for i, visitor in enumerate(buyers[first : first + 500], first)
                    )
                )
            held = await _used(redis) - before
            print(f"every seat held              {held:>12,} bytes, {held / seats:.0f} a seat")
            for name, size in (await _each_key(redis, "hall")).items():
                print(f"    {name:<28}{size:>12,}")
            print(f"in all                       {await _used(redis):>12,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=200_000)
    parser.add_argument("--seats", type=int, default=50_000)
    given = parser.parse_args()
    asyncio.run(measure(given.visitors, given.seats))


if __name__ == "__main__":
    main()
