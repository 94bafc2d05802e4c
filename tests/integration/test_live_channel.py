"""The live channel over a real server, real Valkey and real WebSocket clients (D3-D6, S7-S9)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime

import orjson
import pytest

from core import keys
from core.embedded import Engines
from core.runtime import open_runtime
from core.settings import Settings
from core.venue.event import SaleStatus
from tests.conftest import MakeEvent
from tests.live_server import PATIENCE, LiveServer, live_server, sweeping

pytestmark = pytest.mark.usefixtures("patient")

HELD, FREE = 1, 0


@pytest.fixture
async def quick(settings: Settings, stores: Engines) -> AsyncIterator[LiveServer]:
    """Beats twice a second and graces of five seconds, so that what takes half a minute takes five seconds, and who is
    heard of stays in on a machine that stands still for a second or two.
    """
    changed = settings.model_copy(
        update={"beat_seconds": 0.5, "active_grace_seconds": 5.0, "waiting_grace_seconds": 5.0, "rate_limits": "off"}
    )
    async with open_runtime(changed, stores) as runtime, live_server(runtime) as started:
        yield started


async def test_two_browsers_see_each_others_holds(server: LiveServer, make_event: MakeEvent) -> None:
    """D5: what one holds, the other sees taken, and free again when it is released."""
    event = await make_event()
    async with server.browser(event.slug) as one, server.browser(event.slug) as two:
        await one.entered()
        await two.entered()
        answer = await one.ask("hold", seats=[3, 4])
        assert answer["type"] == "held"
        assert answer["seats"] == [3, 4]
        assert answer["fence"] > 0
        await two.until_seat(3, HELD)
        await two.until_seat(4, HELD)
        refusal = await two.ask("hold", seats=[4, 5])
        assert (refusal["type"], refusal["code"], refusal["seats"]) == ("refused", "seat_taken", [4])
        assert two.states[5] == FREE
        answer = await one.ask("release", seats=[3])
        assert answer["seats"] == [4]
        await two.until_seat(3, FREE)
        await one.until_seat(3, FREE)
        assert one.states == two.states


async def test_a_change_reaches_every_browser_within_a_tenth_of_a_second(
    server: LiveServer, make_event: MakeEvent
) -> None:
    """D5, within 100 ms: the median of a few that follow on each other, whenever the machine is free for so long.

    What a beat's answer takes meanwhile tells how much slower one is that never is free.
    """
    event = await make_event()
    loop = asyncio.get_running_loop()
    async with server.browser(event.slug) as one, server.browser(event.slug) as two:
        await one.entered()
        await two.until("board")
        took: list[float] = []
        beats: list[float] = []
        for turn in range(150):
            began = loop.time()
            await one.send("beat")
            await one.until("beat")
            beats.append(loop.time() - began)
            began = loop.time()
            await one.send("hold" if turn % 2 == 0 else "release", id="x", seats=[0])
            await two.until_seat(0, HELD if turn % 2 == 0 else FREE)
            took.append(loop.time() - began)
            if turn >= 6 and sorted(took[-7:])[3] < 0.09 + 10 * sorted(beats[-7:])[3]:
                break
            # One that is told at a pace of its own stays as late as it is, however often it is tried.
            await asyncio.sleep(0.06)
        else:
            raise AssertionError(took)


async def test_who_waits_gets_places_and_no_seats_until_admitted(server: LiveServer, make_event: MakeEvent) -> None:
    """S7, S8: an exact live place; the map comes with the admission."""
    event = await make_event(active_limit=1)
    async with contextlib.AsyncExitStack() as stack:
        inside, first, second = [await stack.enter_async_context(server.browser(event.slug)) for _ in range(3)]
        await inside.entered()
        for browser, ahead in ((first, 0), (second, 1)):
            welcome = await browser.until("welcome")
            assert (welcome["state"], welcome["visitor"], welcome["event"]) == ("none", browser.visitor, event.slug)
            await browser.until("board")
            await browser.send("join")
            place = await browser.until("queue")
            assert place["ahead"] == ahead
            assert place["ticket"]
        await inside.ask("hold", seats=[0])
        await first.silence(0.5, "seats", "board")
        assert (await first.ask("hold", seats=[1]))["code"] == "not_active"
        await inside.send("leave")
        assert (await inside.until("expired"))["reason"] == "left"
        admitted = await first.until("admitted")
        assert admitted["number"] == 2
        await first.until_seat(0, FREE)
        place = await second.until("queue", lambda message: message["ahead"] == 0)
        assert place["waiting"] == 1
        assert not [m for m in second.seen if m["type"] == "admitted"]


async def test_reload_and_second_tab_find_place_and_basket(server: LiveServer, make_event: MakeEvent) -> None:
    """S7: asking never changes the place; all tabs of a visitor get the news."""
    event = await make_event(active_limit=1)
    async with server.browser(event.slug) as holder, server.browser(event.slug) as waiter:
        await holder.entered()
        await holder.ask("hold", seats=[2])
        await waiter.send("join")
        place = await waiter.until("queue")
        async with (
            server.browser(event.slug, holder.visitor) as holder_again,
            server.browser(event.slug, waiter.visitor) as waiter_again,
        ):
            assert (await waiter_again.until("welcome"))["state"] == "waiting"
            again = await waiter_again.until("queue")
            assert (again["number"], again["ahead"]) == (place["number"], 0)
            assert (await holder_again.until("welcome"))["state"] == "active"
            await holder_again.until("admitted")
            basket = await holder_again.until("held")
            assert basket["seats"] == [2]
            assert "id" not in basket
            await holder_again.until_seat(2, HELD)
            await holder.ask("hold", seats=[3])
            # The news of the first seat may still be on its way.
            other_tab = await holder_again.until("held", lambda message: message["seats"] == [2, 3])
            assert "id" not in other_tab
            await waiter.send("join")
            assert (await waiter.until("queue"))["number"] == place["number"]


async def test_what_a_new_tab_reads_of_the_basket_is_told_to_the_others(
    server: LiveServer, make_event: MakeEvent
) -> None:
    """D5, R4: more time, given while nobody told this process, is read by a tab that opens; the others hear of it."""
    event = await make_event(hold_seconds=60)
    async with server.browser(event.slug) as one:
        await one.entered()
        first = await one.ask("hold", seats=[2])
        await server.runtime.seats.extend(event, one.visitor)
        async with server.browser(event.slug, one.visitor) as two:
            assert (await two.until("held"))["until"] > first["until"]
            told = await one.until("held", lambda message: message["until"] > first["until"])
            assert "id" not in told


async def test_a_place_comes_with_the_opening_in_one_call_to_redis(
    server: LiveServer, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S7, E1: `?join=now`; who asks so again is where they were, and their basket is there."""
    event = await make_event(active_limit=1)

    async def never(*_: object) -> None:
        raise AssertionError("asked where somebody stands, besides")

    async with server.browser(event.slug, asks="?join=now&board=admitted") as holder:
        welcome = await holder.until("welcome")
        assert (welcome["state"], "asked" in welcome) == ("active", False)
        await holder.until("admitted")
        await holder.until("board")
        await holder.ask("hold", seats=[2])
        # Who is let in at once hears so by two ways, and may ask which is the newer one; nobody else has reason to.
        monkeypatch.setattr(server.runtime.waiting_room, "place_or_out", never)
        async with (
            server.browser(event.slug, asks="?join=now") as waiter,
            server.browser(event.slug, holder.visitor, asks="?join=now") as again,
        ):
            assert (await waiter.until("welcome"))["state"] == "waiting"
            place = await waiter.until("queue")
            assert (place["number"], place["ahead"]) == (2, 0)
            assert place["ticket"]
            assert (await again.until("welcome"))["state"] == "active"
            assert (await again.until("held"))["seats"] == [2]
            monkeypatch.undo()
            await holder.send("leave")
            assert (await waiter.until("admitted"))["number"] == 2


async def test_who_gets_no_place_with_the_opening_is_told_why_after_the_welcome(
    server: LiveServer, make_event: MakeEvent
) -> None:
    """S7: nothing is lost; a `join` later is as good."""
    event = await make_event(status=SaleStatus.SCHEDULED)
    async with server.browser(event.slug, asks="?join=now") as early:
        welcome = await early.next()
        assert (welcome["type"], welcome["state"], welcome["asked"]) == ("welcome", "none", True)
        assert (await early.until("problem"))["code"] == "sale_not_open"
        await server.runtime.events.set_status(event.slug, SaleStatus.OPEN)
        await early.until("sale", lambda sale: sale["status"] == "open")
        await early.send("join")
        await early.until("admitted")


async def test_ticket_of_an_earlier_place_is_taken_by_join(quick: LiveServer, make_event: MakeEvent) -> None:
    """A phone that slept comes back to its place with the signed ticket."""
    event = await make_event(active_limit=1)
    async with (
        quick.browser(event.slug) as holder,
        quick.browser(event.slug) as other,
        sweeping(quick.runtime, event.slug),
    ):
        await holder.entered()
        async with quick.browser(event.slug, ping_interval=None) as sleeper:
            await sleeper.send("join")
            mine = await sleeper.until("queue")
            await other.send("join")
            await other.until("queue", lambda m: m["ahead"] == 1)
        # The tab is closed: after the grace its entry is gone, and the next one moves up.
        await other.until("queue", lambda m: m["ahead"] == 0)
        async with quick.browser(event.slug, sleeper.visitor) as back:
            assert (await back.until("welcome"))["state"] == "none"
            await back.send("join", ticket=mine["ticket"])
            again = await back.until("queue")
            assert (again["number"], again["ahead"]) == (mine["number"], 0)
            await other.until("queue", lambda m: m["ahead"] == 1)


async def test_closed_browser_is_out_after_the_grace_and_its_seats_are_free(
    quick: LiveServer, make_event: MakeEvent
) -> None:
    """Rule 5, S9."""
    event = await make_event()
    async with quick.browser(event.slug) as watcher, sweeping(quick.runtime, event.slug):
        async with quick.browser(event.slug) as gone:
            await gone.entered()
            await gone.ask("hold", seats=[7])
            await watcher.until_seat(7, HELD)
        await watcher.until_seat(7, FREE)
        assert await quick.runtime.waiting_room.place(event, gone.visitor) is None
        out = await quick.runtime.waiting_room.beat(event, [gone.visitor])
        assert out == {gone.visitor: "heartbeat"}, "for its silence, and not because it was closed"


async def test_pongs_alone_keep_a_visitor_in(quick: LiveServer, make_event: MakeEvent) -> None:
    """S9: a background tab whose timers sleep still answers pings. `websockets` answers them, and sends no beat."""
    event = await make_event()

    async def heard() -> float:
        """When Redis heard of the visitor last, in seconds; 0: they are out."""
        return (await quick.runtime.redis.zscore(keys.active_users(event.slug), browser.visitor) or 0) / 1000

    async with quick.browser(event.slug, ping_interval=None) as browser, sweeping(quick.runtime, event.slug):
        await browser.entered()
        await browser.ask("hold", seats=[1])
        last = await heard()
        # More than the grace, without a message.
        async with asyncio.timeout(PATIENCE):
            while await heard() < last + 6.0:
                await browser.silence(0.1, "expired")
        place = await quick.runtime.waiting_room.place(event, browser.visitor)
        assert place is not None
        assert browser.states[1] == HELD


async def test_pongs_count_for_a_while_after_the_pages_last_message(
    settings: Settings, stores: Engines, make_event: MakeEvent
) -> None:
    """R2: a browser answers pings for a page that stands still, or that nobody will see again."""
    changed = settings.model_copy(update={"beat_seconds": 0.2, "active_grace_seconds": 4.0, "pong_seconds": 2.0})
    event = await make_event()
    async with (
        open_runtime(changed, stores) as runtime,
        live_server(runtime) as server,
        server.browser(event.slug) as still,
        sweeping(runtime, event.slug),
    ):
        await still.entered()
        began = asyncio.get_running_loop().time()
        assert (await still.until("expired"))["reason"] == "heartbeat"
        assert asyncio.get_running_loop().time() - began > 4.5, "pongs counted for two seconds, then the grace began"


async def test_a_beat_is_answered(server: LiveServer, make_event: MakeEvent) -> None:
    """R2: a page that hears nothing knows by that that the connection is dead."""
    event = await make_event()
    async with server.browser(event.slug) as one:
        await one.until("welcome")
        for _ in range(2):
            await one.send("beat")
            assert datetime.fromisoformat((await one.until("beat"))["now"]) <= server.runtime.clock.now()


async def test_open_socket_without_pongs_or_beats_is_out(
    settings: Settings, stores: Engines, make_event: MakeEvent
) -> None:
    """S9, the other half: a connection that is open and silent is no sign of life, and its page is told."""
    changed = settings.model_copy(update={"beat_seconds": 0.5, "active_grace_seconds": 5.0})
    event = await make_event()
    async with (
        open_runtime(changed, stores) as runtime,
        live_server(runtime, ws_ping_interval=None) as server,
        server.browser(event.slug, ping_interval=None) as silent,
        server.browser(event.slug, ping_interval=None) as beating,
        sweeping(runtime, event.slug),
    ):
        await silent.entered()
        await beating.entered()

        async def beat() -> None:
            while True:
                await beating.send("beat")
                await asyncio.sleep(0.1)

        beats = asyncio.create_task(beat())
        assert (await silent.until("expired"))["reason"] == "heartbeat"
        beats.cancel()
        await beating.silence(0.01, "expired")
        assert not [m for m in beating.seen if m["type"] == "expired"]


async def test_the_end_of_a_turn_is_told_as_that(settings: Settings, stores: Engines, make_event: MakeEvent) -> None:
    """V3: whether the news or a sign of life is first, and to who comes back later. Five of eight ends were told as
    "we lost sight of you".
    """
    changed = settings.model_copy(update={"session_seconds": 2.5, "rate_limits": "off"})
    event = await make_event(active_limit=8)
    async with (
        open_runtime(changed, stores) as runtime,
        live_server(runtime) as server,
        contextlib.AsyncExitStack() as stack,
    ):
        browsers = [await stack.enter_async_context(server.browser(event.slug)) for _ in range(8)]
        for browser in browsers:
            await browser.entered()

        async def beat() -> None:
            while True:
                for browser in browsers:
                    await browser.send("beat")
                await asyncio.sleep(0.02)

        beats = asyncio.create_task(beat())
        async with sweeping(runtime, event.slug):
            ends = [(await browser.until("expired"))["reason"] for browser in browsers]
        beats.cancel()
        assert ends == ["session"] * 8
        visitors = [browser.visitor for browser in browsers]
        assert await runtime.waiting_room.beat(event, visitors) == dict.fromkeys(visitors, "session")
        async with server.browser(event.slug, visitors[0]) as back:
            welcome = await back.until("welcome")
            assert (welcome["state"], welcome["ended"]) == ("none", "session")
        async with server.browser(event.slug) as stranger:
            assert "ended" not in await stranger.until("welcome")


async def test_lapsed_basket_is_told_and_its_seats_come_free(server: LiveServer, make_event: MakeEvent) -> None:
    """S3: the hold has its own deadline; the session goes on."""
    event = await make_event(hold_seconds=1)
    async with server.browser(event.slug) as one, server.browser(event.slug) as two:
        await one.entered()
        await two.entered()
        await one.ask("hold", seats=[6])
        await two.until_seat(6, HELD)
        # Not before: of a seat that is held and free again within one message nobody sees that it was held.
        async with sweeping(server.runtime, event.slug):
            assert (await one.until("expired"))["reason"] == "hold"
            await two.until_seat(6, FREE)
            assert (await one.ask("hold", seats=[6]))["type"] == "held"


async def test_extend_once(server: LiveServer, make_event: MakeEvent) -> None:
    event = await make_event(hold_seconds=60)
    async with server.browser(event.slug) as one:
        await one.entered()
        first = await one.ask("hold", seats=[6])
        more = await one.ask("extend")
        assert more["until"] > first["until"]
        assert more["extensions_left"] == 0
        assert (await one.ask("extend"))["code"] == "hold_not_extendable"


async def test_the_best_seats_by_the_channel(server: LiveServer, make_event: MakeEvent) -> None:
    """F8: answered like a hold; what can be had instead is named."""
    event = await make_event(seats=20, max_seats=12)
    async with server.browser(event.slug) as one:
        await one.entered()
        held = await one.ask("best", count=2)
        assert (held["type"], held["seats"], held["together"]) == ("held", [4, 5], True)
        refused = await one.ask("best", count=4, zone="Stalls", accessible=True)
        assert (refused["code"], refused["largest"], refused["alternatives"]) == ("not_together", 0, [])
        assert (await one.ask("best", count=11))["code"] == "too_many_seats"


async def test_sync_answers_with_a_board_only_when_it_is_needed(server: LiveServer, make_event: MakeEvent) -> None:
    event = await make_event()
    async with server.browser(event.slug) as one:
        await one.entered()
        boards = one.boards
        await one.send("sync", epoch=one.epoch, version=one.version)
        await one.silence(0.3, "board")
        await one.send("sync", epoch=one.epoch, version=one.version + 5)
        await one.until("board")
        assert one.boards == boards + 1


async def test_who_waits_may_watch_by_sync(server: LiveServer, make_event: MakeEvent) -> None:
    event = await make_event(active_limit=1)
    async with server.browser(event.slug) as inside, server.browser(event.slug) as waiter:
        await inside.entered()
        await waiter.send("join")
        await waiter.until("queue")
        await waiter.send("sync", epoch=-1, version=-1)
        await waiter.until("board")
        await inside.ask("hold", seats=[9])
        await waiter.until_seat(9, HELD)


async def test_result_of_a_payment_reaches_its_visitor_only(server: LiveServer, make_event: MakeEvent) -> None:
    """S26: pushed to the browser."""
    event = await make_event()
    async with server.browser(event.slug) as buyer, server.browser(event.slug) as other:
        await buyer.until("board")
        await other.until("board")
        result = {"id": "r1", "status": "CONFIRMED", "reason": None, "seats": [1], "amount": 15000, "currency": "KRW"}
        message = orjson.dumps({"visitor": buyer.visitor, **result})
        await server.runtime.redis.publish(keys.reservations_channel(event.slug), message)
        assert await buyer.until("reservation") == {"type": "reservation", **result}
        await other.silence(0.3, "reservation")
