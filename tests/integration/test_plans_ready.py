"""Plans are made before the crowd asks for them (V1, `web/plans.py`)."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest

from core.clock import SystemClock
from core.database import open_database
from core.embedded import Engines
from core.venue.event import SaleStatus
from core.venue.event_store_postgres import EventStore
from core.venue.new_event import NewEvent
from core.venue.plan_columns import plan_columns
from tests.conftest import small_plan
from tests.own_database import own_database
from tests.waits import until
from web.encodings import CODINGS
from web.plans import Plans, due

pytestmark = pytest.mark.usefixtures("patient")


async def test_what_opens_soon_is_made_ready_once_and_in_every_coding(
    stores: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SystemClock()
    now = clock.now()
    made: list[int] = []

    def counted(plan: Any, prices: Any) -> bytes:
        made.append(len(plan.seats))
        return plan_columns(plan, prices)

    monkeypatch.setattr("web.plans.plan_columns", counted)
    async with own_database(stores.database_url) as url:
        database = await open_database(url, 2)
        events = EventStore(database, clock)

        async def sale(slug: str, seats: int, **changes: Any) -> None:
            fields: dict[str, Any] = {
                "slug": slug,
                "name": slug,
                "currency": "KRW",
                "prices": {"Standard": 15000},
                "active_limit": 100,
                "hold_seconds": 300,
                "max_seats": 4,
                "status": SaleStatus.SCHEDULED,
            }
            await events.create(NewEvent(**(fields | changes)), small_plan(seats))

        await sale("soon", 300, opens_at=now + timedelta(minutes=10))
        await sale("open", 400, status=SaleStatus.OPEN)
        await sale("later", 500, opens_at=now + timedelta(hours=3))
        listed = await events.list()
        assert [event.slug for event in due(listed, now)] == ["open", "soon"]
        assert {event.slug for event in due(listed, now + timedelta(hours=2, minutes=50))} == {"open", "soon", "later"}

        ready = Plans(events, clock)
        running = asyncio.create_task(ready.keep_ready())
        try:
            await until(lambda: len(made) == 2, "both plans to be made")
            for event in due(listed, now):
                body = await ready.columns(event)
                assert all(body.coded(coding) for coding in CODINGS)
            assert sorted(made) == [300, 400], "who asks finds it made"
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            await database.disconnect()
