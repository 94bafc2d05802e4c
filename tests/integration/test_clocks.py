"""R3: a machine or a PostgreSQL whose clock is two seconds off Redis' says so, and decides nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core import keys
from core.diagnosis import clocks_postgres
from core.diagnosis.finding import Cause, Level
from core.embedded import Engines
from core.process import clock_redis
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import SaleState, SaleStatus
from tests.conftest import MakeEvent
from tests.manual_clock import ManualClock
from web.composition import health_checks

pytestmark = pytest.mark.usefixtures("patient")


async def test_a_machine_two_hours_ahead_opens_and_closes_nothing(
    settings: Settings, stores: Engines, make_event: MakeEvent, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second server whose clock was two hours ahead closed the sale for all."""
    closes = runtime.clock.now() + timedelta(hours=1)
    event = await make_event(status=SaleStatus.OPEN, closes_at=closes)
    await runtime.waiting_room.join(event, "a")
    real = clock_redis.RedisClock.__init__

    def ahead(self: clock_redis.RedisClock, *arguments: object, **named: object) -> None:
        real(self, *arguments, **named)  # type: ignore[arg-type]
        wall = self._wall
        self._wall = lambda: wall() + 7200

    monkeypatch.setattr(clock_redis.RedisClock, "__init__", ahead)
    async with open_runtime(settings, stores) as other:
        assert event.sale_state(other.clock.now()) is SaleState.OPEN
        report = await other.waiting_room.sweep(event)
        assert (report.closed, report.active) == (0, 1)
        assert 7100 < other.time.drift() < 7300, "two hours, and what a busy machine adds"
        told = other.vitals.read()
        assert 7100 < told.ahead < 7300
    (finding,) = clocks_postgres.process_clocks([told, replace(told, ahead=1.9)])
    assert (finding.level, finding.cause) == (Level.WARN, Cause.CLOCK_DIFFERS)
    assert f"{told.ahead:.0f} s ahead" in finding.detail


async def test_a_postgresql_whose_clock_differs_is_named(runtime: Runtime) -> None:
    (well,) = [one async for one in clocks_postgres.postgres_clock(runtime.database, runtime.clock)]
    assert well.level is Level.PASS
    off = ManualClock(epoch=runtime.clock.now().timestamp() + 100)
    (found,) = [one async for one in clocks_postgres.postgres_clock(runtime.database, off)]
    assert (found.level, found.cause) == (Level.WARN, Cause.CLOCK_DIFFERS)
    assert "behind" in found.detail


async def test_health_is_degraded_by_a_clock_that_differs(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    look = health_checks(runtime)["clock"]
    assert (await look()).status == "UP"
    monkeypatch.setattr(runtime.time, "_wall", lambda: time.time() + 30)
    found = await look()
    assert found.status == "DEGRADED"
    assert found.detail is not None
    assert "this process is 30 s ahead" in found.detail["error"]


async def test_times_from_the_future_and_numbers_beyond_counting_are_mended(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """A ghost whose beat is in the next year stays for a year; a number beyond 2^53 cannot be counted on from."""
    event = await make_event(active_limit=1)
    room, slug = runtime.waiting_room, event.slug
    redis: Any = runtime.redis
    for visitor in ("in", "first", "second"):
        await room.join(event, visitor)
    year = int((runtime.clock.now() + timedelta(days=365)).timestamp() * 1000)
    await redis.zadd(keys.active_users(slug), {"in": year})
    await redis.zadd(keys.active_until(slug), {"in": year})
    await redis.zadd(keys.waiting_beats(slug), {"first": year})
    await redis.zadd(keys.waiting_queue(slug), {"second": 2.0**60})
    await redis.set(keys.waiting_number(slug), 2**60)
    await room.sweep(event)
    now = runtime.clock.now().timestamp() * 1000
    assert await redis.zscore(keys.active_users(slug), "in") <= now + 1000
    assert await redis.zscore(keys.waiting_beats(slug), "first") <= now + 1000
    ends = await redis.zscore(keys.active_until(slug), "in")
    assert abs(ends - now - runtime.settings.session_seconds * 1000) < 300_000
    late = await room.join(event, "late")
    places = [await room.place(event, visitor) for visitor in ("first", "second")]
    assert [(place.number, place.ahead) for place in places if place] == [(2, 0), (3, 1)]
    assert (late.number, late.ahead) == (4, 2)
