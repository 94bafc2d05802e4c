"""R4: an outage stops the sale's clock, every page hears of it, and sessions and holds get the time back, once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from core import keys
from core.embedded import Engines
from core.errors import HoldExpired, NotActive, PaymentUnavailable, StoreUnavailable
from core.process.store_watch import StoreWatch
from core.runtime import Runtime, open_runtime
from core.seats.hold_scripts_redis import HOLD_KEPT_MS
from core.settings import Settings
from core.upkeep.sweeping import outage_of
from core.venue.event import Event
from core.waiting_room.composition import visit_times
from core.waiting_room.outage import Outage
from core.waiting_room.queue_redis import _GIVE_BATCH
from tests.conftest import MakeEvent
from tests.contract.store_proxy import StoreProxy, behind_proxies
from tests.live_server import LiveServer, live_server
from tests.waits import PATIENCE, until

AWAY = Outage(seconds=0.0)


async def _pass(runtime: Runtime, event: Event, seconds: float) -> None:
    """So much time has gone by, and nobody has swept: all that Redis knows is so much older."""
    slug, ms = event.slug, int(seconds * 1000)
    calls: Any = runtime.redis
    for key in (keys.active_until(slug), keys.basket_deadlines(slug), keys.holds(slug)):
        for member, score in await calls.zrange(key, 0, -1, withscores=True):
            await calls.zadd(key, {member: score - ms})
    for visitor, text in (await calls.hgetall(keys.baskets(slug))).items():
        parts = text.decode().split("|")
        parts[1] = str(int(parts[1]) - ms)
        if len(parts) > 5:
            parts[5] = str(int(parts[5]) - ms)
        await calls.hset(keys.baskets(slug), visitor, "|".join(parts))
    for field in ("since", "swept", "ended"):
        value = await calls.hget(keys.stop(slug), field)
        if value is not None:
            await calls.hset(keys.stop(slug), field, int(value) - ms)


async def _until(runtime: Runtime, event: Event, visitor: str) -> datetime:
    place = await runtime.waiting_room.place(event, visitor)
    assert place is not None
    assert place.until is not None
    return place.until


@pytest.fixture
async def event(runtime: Runtime, make_event: MakeEvent) -> Event:
    """One is in and holds a seat; the sale is swept."""
    event = await make_event(hold_seconds=300)
    await runtime.waiting_room.join(event, "a")
    await runtime.seats.hold(event, "a", [0])
    await runtime.waiting_room.sweep(event)
    return event


def _close(first: datetime, second: datetime) -> bool:
    """But for what the steps of a test take on a busy machine: less than the minutes that are at stake."""
    return abs((first - second).total_seconds()) < 60


@pytest.mark.usefixtures("patient")
async def test_nothing_ends_while_a_store_is_away_and_the_time_is_given_back_once(
    runtime: Runtime, event: Event
) -> None:
    room, seats = runtime.waiting_room, runtime.seats
    session, basket = await _until(runtime, event, "a"), await seats.basket(event, "a")
    assert basket is not None
    await room.sweep(event, outage=AWAY)
    await _pass(runtime, event, 550)
    # The hold's 300 seconds are over by any clock but the sale's, and the session's 600 nearly.
    for _ in range(2):
        report = await room.sweep(event, outage=AWAY)
        assert (report.lapsed, report.sessions_ended, report.given_time) == (0, 0, 0)
    more = await seats.hold(event, "a", [1])
    assert more.seats == (0, 1), "holding goes on"
    assert await runtime.redis.pttl(keys.seat_state(event.slug, 1)) > HOLD_KEPT_MS

    # Two processes see the end at the same moment.
    reports = await asyncio.gather(*(room.sweep(event) for _ in range(4)))
    assert sum(report.given_time for report in reports) == 2
    assert sum(report.lapsed + report.sessions_ended for report in reports) == 0
    after = await seats.basket(event, "a")
    assert after is not None
    # In this test's time everything was moved 550 s into the past: what was left is left again.
    assert _close(after.until, basket.until)
    assert _close(await _until(runtime, event, "a"), session)
    assert await runtime.redis.zscore(keys.holds(event.slug), 0) == after.until.timestamp() * 1000
    assert (await seats.begin_payment(event, "a")).paying


@pytest.mark.usefixtures("patient")
async def test_without_an_outage_the_same_time_ends_them(runtime: Runtime, event: Event) -> None:
    """The other side: it is the stop that keeps them."""
    await _pass(runtime, event, 550)
    await runtime.redis.hset(keys.stop(event.slug), "swept", int(1000 * runtime.clock.now().timestamp()))
    assert (await runtime.waiting_room.sweep(event)).lapsed == 1
    with pytest.raises(HoldExpired):
        await runtime.seats.begin_payment(event, "a")


@pytest.mark.usefixtures("patient")
async def test_who_comes_first_after_a_loss_of_sweeps_finds_the_clock_standing(runtime: Runtime, event: Event) -> None:
    """Redis, or all processes, were away: before any sweep nobody's call ends a hold or a session."""
    await _pass(runtime, event, 620)
    held = await runtime.seats.hold(event, "a", [1])
    assert held.seats == (0, 1)
    report = await runtime.waiting_room.sweep(event)
    assert (report.given_time, report.lapsed, report.sessions_ended) == (2, 0, 0)
    left = (await _until(runtime, event, "a")) - runtime.clock.now()
    assert timedelta(seconds=500) < left <= timedelta(seconds=600)
    assert await runtime.redis.hget(keys.stop(event.slug), "since") is None


@pytest.mark.usefixtures("patient")
async def test_ten_minutes_at_most_are_given_back(runtime: Runtime, event: Event) -> None:
    await runtime.waiting_room.sweep(event, outage=AWAY)
    await _pass(runtime, event, 900)  # 300 s more than the clock stands: the hold's own time
    with pytest.raises(HoldExpired):
        await runtime.seats.begin_payment(event, "a")
    assert (await runtime.waiting_room.sweep(event, outage=AWAY)).lapsed == 1
    await _pass(runtime, event, 600)
    with pytest.raises(NotActive):
        await runtime.seats.hold(event, "a", [1])
    assert (await runtime.waiting_room.sweep(event)).sessions_ended == 1


@pytest.mark.usefixtures("patient")
async def test_a_provider_that_comes_and_goes_gives_no_more_than_one_that_stays_away(
    runtime: Runtime, event: Event
) -> None:
    """Its circuit lets probes through each half minute: stops that follow on each other have ten minutes together."""
    lapsed = ended = 0
    for _ in range(5):
        await runtime.waiting_room.sweep(event, outage=AWAY)
        await _pass(runtime, event, 200)
        report = await runtime.waiting_room.sweep(event)
        lapsed, ended = lapsed + report.lapsed, ended + report.sessions_ended
    report = await runtime.waiting_room.sweep(event)
    assert (lapsed + report.lapsed, ended) == (1, 0), "five minutes and ten, of nearly seventeen"


@pytest.mark.usefixtures("patient")
async def test_a_worker_without_a_provider_stops_no_clock(settings: Settings, stores: Engines) -> None:
    async with open_runtime(settings.model_copy(update={"payment": ""}), stores) as worker:
        start = worker.stores._monotonic()
        worker.stores._monotonic = lambda: start + 60
        await worker.stores.look()
        assert worker.stores.away == ()


async def test_an_answer_of_another_kind_is_none_and_the_others_are_watched_on() -> None:
    """Such as a login that is refused after a failover."""
    now, told = [100.0], []

    async def refused() -> None:
        raise ValueError("password authentication failed")

    async def well() -> None: ...

    watch = StoreWatch({"database": refused, "redis": well}, monotonic=lambda: now[0])
    watch.follow(lambda: told.append(watch.away))
    now[0] += 3
    await watch.look()
    assert told == [("database",)]


@pytest.mark.usefixtures("patient")
async def test_a_basket_made_meanwhile_has_its_whole_time_afterwards(runtime: Runtime, event: Event) -> None:
    await runtime.waiting_room.sweep(event, outage=AWAY)
    await _pass(runtime, event, 400)
    await runtime.waiting_room.join(event, "late")
    during = await runtime.seats.hold(event, "late", [5])
    await runtime.waiting_room.sweep(event)
    after = await runtime.seats.basket(event, "late")
    assert after is not None
    assert after.until > during.until
    left = after.until - runtime.clock.now()
    assert timedelta(seconds=200) < left <= timedelta(seconds=300)
    assert (await _until(runtime, event, "late")) - runtime.clock.now() <= timedelta(seconds=600)


@pytest.mark.usefixtures("patient")
async def test_a_crowd_gets_its_time_in_batches_and_nobody_is_judged_before(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """One process dies half-way; the next one goes on. Nobody gets it twice."""
    crowd = _GIVE_BATCH + 50
    event = await make_event(active_limit=crowd)
    visitors = [f"v{n}" for n in range(crowd)]
    await asyncio.gather(*(runtime.waiting_room.join(event, visitor) for visitor in visitors))
    await runtime.waiting_room.sweep(event)
    await runtime.waiting_room.sweep(event, outage=AWAY)
    await _pass(runtime, event, 590)
    first = await runtime.waiting_room.sweep(event, batches=1)
    assert (first.given_time, first.more) == (_GIVE_BATCH, True)
    assert await runtime.redis.zcard(keys.owed(event.slug)) == 50
    await _pass(runtime, event, 0)
    second = await runtime.waiting_room.sweep(event)
    assert (second.given_time, second.sessions_ended, second.more) == (50, 0, False)
    ends = [await _until(runtime, event, visitor) for visitor in visitors]
    assert max(ends) - min(ends) < timedelta(seconds=60)
    assert not await runtime.redis.exists(keys.owed(event.slug))


@pytest.mark.usefixtures("patient")
async def test_the_record_outlives_the_holder_of_the_lease(
    runtime: Runtime, event: Event, settings: Settings, stores: Engines
) -> None:
    """Begun by one process, which dies; ended by another one."""
    await runtime.waiting_room.sweep(event, outage=AWAY)
    await _pass(runtime, event, 310)
    async with open_runtime(settings, stores) as other:
        report = await other.waiting_room.sweep(event)
        assert (report.given_time, report.lapsed) == (2, 0)


async def test_the_watch_tells_of_what_is_away_and_back() -> None:
    """Neither a pause shorter than two seconds nor a follower that fails keeps the news from the others."""
    now, well, told = [100.0], [True], []

    async def ask() -> None:
        if not well[0]:
            raise PaymentUnavailable

    def fails() -> None:
        raise ValueError

    watch = StoreWatch({"payment": ask}, monotonic=lambda: now[0])
    watch.follow(fails)
    watch.follow(lambda: told.append(watch.away))
    await watch.look()
    well[0] = False
    now[0] += 1
    await watch.look()
    assert not watch.away
    now[0] += 1.5
    await watch.look()
    assert (watch.away, watch.away_for("payment"), watch.away_for("database")) == (("payment",), 2.5, None)
    well[0] = True
    await watch.look()
    assert told == [("payment",), ()]


class Shop:
    """A server process whose stores can be taken away, and a page that is in the sale."""

    def __init__(self, server: LiveServer, event: Event, postgres: StoreProxy, redis: StoreProxy) -> None:
        self.server, self.event, self.postgres, self.redis = server, event, postgres, redis
        self.runtime = server.runtime
        self.gap = visit_times(server.runtime.settings).gap


@pytest.fixture
async def shop(settings: Settings, stores: Engines, make_event: MakeEvent) -> AsyncIterator[Shop]:
    event = await make_event()
    async with (
        behind_proxies(stores) as (engines, postgres, redis),
        open_runtime(settings, engines) as runtime,
        live_server(runtime) as server,
    ):
        await runtime.events.get(event.slug)

        async def sweep() -> None:
            while True:
                with contextlib.suppress(StoreUnavailable):
                    await runtime.waiting_room.sweep(event, outage=outage_of(runtime.stores))
                await asyncio.sleep(0.2)

        services = [
            runtime.supervisor.run_forever("store-watch", runtime.stores.run),
            runtime.supervisor.run_forever("sweep", sweep),
        ]

        async def swept() -> bool:
            return bool(await runtime.redis.hexists(keys.stop(event.slug), "swept"))

        try:
            # Who has never swept knows of no time without a sweep.
            await until(swept)
            yield Shop(server, event, postgres, redis)
        finally:
            await asyncio.gather(*(service.end() for service in services))


@pytest.mark.parametrize(
    ("store", "fault"), [("database", "cut"), ("database", "hang"), ("redis", "cut"), ("redis", "hang")]
)
async def test_a_page_hears_what_is_away_and_gets_its_time_back(shop: Shop, store: str, fault: str) -> None:
    proxy = shop.postgres if store == "database" else shop.redis
    async with shop.server.browser(shop.event.slug) as page:
        await page.until("welcome")
        await page.send("join")
        admitted = await page.until("admitted")
        await page.send("hold", id="1", seats=[3])
        held = await page.until("held")
        if fault == "cut":
            await proxy.cut()
        else:
            proxy.hang()
        began = asyncio.get_running_loop().time()
        told = await page.until("outage")
        assert told["away"] == [store]
        assert told["since"] < told["until"]
        if store == "database":
            await page.send("hold", id="2", seats=[4])
            more = await page.until("held")
            assert more["seats"] == [3, 4]
        async with shop.server.browser(shop.event.slug, page.visitor) as other:
            # A page that comes meanwhile hears of it before anything else is tried.
            assert (await other.next())["type"] == "outage"
        # Longer than a sweep may be late; not by the watch, which counts from an answer that may be much older.
        await until(lambda: asyncio.get_running_loop().time() - began > shop.gap + 1)
        await proxy.restore()
        over = told
        while over["away"] or over["since"]:
            over = await page.until("outage")
        assert over["until"] is None
        # Session and hold have got their time back. The page knows that before the clock goes on, unless a busy machine
        # ran out of patience (tests/unit/test_sale_clock.py): then it is told all the same.
        for before in (admitted, held):

            def later(news: dict[str, Any], before: dict[str, Any] = before) -> bool:
                return news["type"] == before["type"] and bool(news["until"] > before["until"])

            if not any(map(later, page.seen)):
                await page.until(before["type"], later)


async def test_a_page_without_a_channel_asks(shop: Shop) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{shop.server.port}", timeout=PATIENCE) as http:

        async def away() -> list[str] | None:
            return list((await http.get("/api/outage")).json()["away"])

        assert (await http.get("/api/outage")).json() == {"away": [], "since": None, "until": None}
        shop.redis.hang()
        assert await until(away) == ["redis"]
        await shop.redis.restore()

        async def over() -> bool:
            return bool((await http.get("/api/outage")).json() == {"away": [], "since": None, "until": None})

        await until(over)
