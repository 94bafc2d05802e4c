"""R4: what the pages of one event are told of an outage."""

from __future__ import annotations

import asyncio
import json

from core.clock import SystemClock
from core.errors import StoreUnavailable
from core.process.store_watch import SILENT_SECONDS, StoreWatch
from realtime.sale_clock import SaleClock


async def test_who_asks_before_the_watch_has_told_it_hears_since_when_the_clock_stands() -> None:
    """One store is known to be away while the question to the other is still under way: a page that comes then."""
    now, late = 0.0, asyncio.Event()

    async def gone() -> None:
        raise StoreUnavailable

    async def slow() -> None:
        await late.wait()

    watch = StoreWatch({"database": gone, "redis": slow}, monotonic=lambda: now)
    clock = SaleClock(watch, SystemClock(), stop_seconds=600.0)
    now = SILENT_SECONDS + 1
    looking = asyncio.create_task(watch.look())
    while not watch.away:
        await asyncio.sleep(0)
    told = json.loads(clock.message())
    assert told["away"] == ["database"]
    assert told["since"] < told["until"]
    late.set()
    await looking
    assert json.loads(clock.message()) == told
