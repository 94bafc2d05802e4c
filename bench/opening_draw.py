"""A draw of 200,000 entries: until every entry has its number, and how long Redis is kept at a time."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from bench.measure import Figure
from bench.slow_log import slow_log
from bench.stores import event_of
from core import keys
from core.runtime import Runtime
from core.venue.event import Event, SaleStatus
from core.waiting_room import draw

_ENTRIES: Final = 200_000
#: Seconds until everybody has a number.
_MOST_SECONDS: Final = 5.0
#: Milliseconds for which Redis may be kept from everybody else.
_MOST_MS: Final = 50.0
_PAGE: Final = 5_000


async def opening_draw(runtime: Runtime, *, rounds: int = 1, entries: int = _ENTRIES) -> list[Figure]:
    """One draw counts as one round: nothing in it is shorter than noise."""
    event = await _gathered(runtime, entries)
    async with slow_log(runtime.redis, from_us=1_000) as slow:
        await runtime.events.update(event.slug, opens_at=datetime.now(UTC))
        began = time.perf_counter()
        while (await runtime.events.fresh(event.slug)).opening is not None:
            await runtime.drawing.run()
        took = time.perf_counter() - began
        longest = await slow.longest_ms()
    row = await runtime.draws.shown(event)
    if row is None or row.count != entries:
        raise RuntimeError("a draw without its entries would be another benchmark")
    detail = {"entries": entries, "seconds": took, "redis_longest_ms": longest}
    return [
        Figure(
            f"draw, {entries:,} entries",
            entries / took,
            "/s",
            _ENTRIES / _MOST_SECONDS,
            "200,000 told in 5 s",
            1.0,
            detail,
        ),
        Figure("draw, Redis at a time", 1000 / longest, "/s", 1000 / _MOST_MS, "50 ms at most", 1.0, detail),
    ]


async def _gathered(runtime: Runtime, count: int) -> Event:
    """An event for whose opening all of them have entered, by what `lua/enter.lua` writes."""
    made = await event_of(runtime, 100)
    await runtime.events.set_status(made.slug, SaleStatus.CLOSED)
    async with runtime.database.connection() as connection:
        await connection.execute(
            "UPDATE events SET status = 'SCHEDULED', opens_at = :at, prequeue_seconds = 900, active_limit = 100 "
            "WHERE slug = :slug",
            {"at": datetime.now(UTC) + timedelta(seconds=600), "slug": made.slug},
        )
    event = await runtime.events.fresh(made.slug)
    await runtime.waiting_room.join(event, "first")
    event = await runtime.events.fresh(made.slug)
    seconds, micros = await runtime.redis.time()
    now = seconds * 1000 + micros // 1000
    for first in range(1, count, _PAGE):
        some = [secrets.token_hex(16) for _ in range(min(_PAGE, count - first))]
        entries = {visitor: f"{draw.receipt(draw.new_nonce(), visitor)}|{visitor}" for visitor in some}
        await runtime.redis.hset(keys.entries(event.slug), mapping=cast(Any, entries))
        await runtime.redis.zadd(keys.entry_beats(event.slug), dict.fromkeys(some, now))
    return event
