"""The pre-queue and the drawn place over the live channel (F1)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from core.runtime import Runtime
from core.venue.event import SaleStatus
from core.waiting_room import draw
from realtime import live_event
from tests.conftest import MakeEvent
from tests.live_server import PATIENCE, LiveServer, sweeping

pytestmark = pytest.mark.usefixtures("patient")

NONCE = "0123456789abcdef" * 2


@contextlib.asynccontextmanager
async def drawing(runtime: Runtime) -> AsyncIterator[None]:
    """The `draw` job of a server process."""

    async def run() -> None:
        while True:
            await runtime.drawing.run()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_join_before_the_opening_enters_and_the_place_comes_by_itself(
    runtime: Runtime, server: LiveServer, make_event: MakeEvent
) -> None:
    opens_at = datetime.now(UTC) + timedelta(seconds=600)
    event = await make_event(status=SaleStatus.SCHEDULED, opens_at=opens_at, prequeue_seconds=900, active_limit=1)
    async with contextlib.AsyncExitStack() as stack:
        browsers = [await stack.enter_async_context(server.browser(event.slug)) for _ in range(8)]
        receipts = {}
        for browser in browsers:
            assert (await browser.until("welcome"))["state"] == "none"
            sale = await browser.until("sale")
            assert sale["status"] == "before"
            assert sale["gathers_at"] is not None
            await browser.send("join", nonce=NONCE)
            entered = await browser.until("entered")
            assert entered["receipt"] == draw.receipt(NONCE, entered["salt"])
            receipts[browser.visitor] = entered["receipt"]
        async with sweeping(runtime, event.slug):
            counted = await browsers[0].until("sale", lambda message: message["entered"] == 8)
            assert counted["status"] == "before"
        again = await stack.enter_async_context(server.browser(event.slug, browsers[3].visitor))
        assert (await again.until("welcome"))["state"] == "entered"
        assert (await again.until("entered"))["receipt"] == receipts[again.visitor]

        async with drawing(runtime):
            await runtime.events.set_status(event.slug, SaleStatus.OPEN)
            await runtime.waiting_room.tell_sale_changed(await runtime.events.fresh(event.slug))
            places = {}
            for browser in browsers:
                async with asyncio.timeout(PATIENCE):
                    while browser.visitor not in places:
                        message = await browser.next()
                        if message["type"] == "queue":
                            assert message["ticket"]
                            places[browser.visitor] = message["number"]
                        elif message["type"] == "admitted":
                            places[browser.visitor] = message["number"]
        row = await runtime.draws.shown(await runtime.events.fresh(event.slug))
        assert row is not None
        order = await runtime.draws.receipts(row.id)
        assert {visitor: order.index(receipts[visitor]) + 1 for visitor in places} == places


async def test_the_moment_of_an_opening_without_a_pre_queue_is_told(
    runtime: Runtime, server: LiveServer, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page needs a timer: `sale` comes when the clock changes the state, and not at some later look."""
    monkeypatch.setattr(live_event, "_LOOK_SECONDS", 100 * PATIENCE)
    opens_at = datetime.now(UTC) + timedelta(seconds=600)
    event = await make_event(status=SaleStatus.SCHEDULED, opens_at=opens_at, prequeue_seconds=0)
    async with server.browser(event.slug) as browser:
        await browser.until("sale", lambda message: message["status"] == "before")
        opens_at = datetime.now(UTC) + timedelta(seconds=2)
        moved = await runtime.events.update(event.slug, opens_at=opens_at)
        await runtime.waiting_room.tell_sale_changed(moved)
        await browser.until("sale", lambda message: message["status"] == "open")
    assert datetime.now(UTC) >= opens_at
