"""R3: a machine or a PostgreSQL whose clock is two seconds off Redis' says so, and decides nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest

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
        assert 7199 < other.time.drift() < 7201
        told = other.vitals.read()
        assert 7199 < told.ahead < 7201
    (finding,) = clocks_postgres.process_clocks([told, replace(told, ahead=1.9)])
    assert (finding.level, finding.cause) == (Level.WARN, Cause.CLOCK_DIFFERS)
    assert "7200 s ahead" in finding.detail


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
