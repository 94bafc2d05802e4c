"""R1: a feed survives any exception at any of its awaits; what browsers show is true again soon afterwards.

The task factory of the event loop wraps what `realtime` runs in the background. One await after the other, wherever
the activity below comes by, is made to raise an error that nobody expects, as a library's bug would.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from core import keys
from core.errors import NotActive, SeatTaken, TooManySeats
from core.process.store_redis import cluster_of, redis_client
from core.process.supervisor import Supervisor
from core.runtime import Runtime
from core.seats.board import BoardSnapshot
from realtime import cluster_subscriptions, hub, live, subscriptions
from realtime.attendance import Attendance
from realtime.cluster_subscriptions import ClusterSubscriptions
from realtime.presence import Presence
from realtime.resync import PAUSES
from tests import topologies
from tests.conftest import MakeEvent
from tests.live_server import PATIENCE, live_server
from tests.live_tabs import Tab, process, truth
from tests.strikes import Strikes, begins_in, short_pauses
from tests.waits import until

pytestmark = pytest.mark.usefixtures("patient")

SEATS = 12
MOST_ROUNDS = 200

#: Where background work of an event waits. Each of these is struck once, at every line at which it does.
AWAITS = {
    "hub.Hub.broadcast",
    "live_event.LiveEvent._look",
    "live_event.LiveEvent._tell_outage",
    "live_event.LiveEvent._tell_everybody",
    "look_ups.LookUps.run",
    "look_ups.LookUps._ask_about_some",
    "baskets.Baskets._look_up",
    "queue_feed.QueueFeed.fetch",
    "queue_feed.QueueFeed.learn",
    "queue_feed.QueueFeed.current",
    "place_pushes.PlacePushes.run",
    "presence.Presence._run",
    "presence.Presence._write",
    "resync.Resync._run",
    "resync.Resync._audit",
    "seat_feed.SeatFeed.fetch",
    "seat_feed.SeatFeed.current",
    "seat_feed.SeatFeed._send",
    "subscriptions.Subscriptions._run",
    "subscriptions.Subscriptions._ask",
    "subscriptions.Subscriptions._read",
    "subscriptions.Subscriptions._follow",
}


@pytest.fixture(autouse=True)
def quick_restarts() -> Iterator[None]:
    with short_pauses(PAUSES, cluster_subscriptions._PAUSES, subscriptions._PAUSES):
        yield


async def test_map_queue_and_baskets_are_true_again_after_an_error_at_any_await(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_TURN", 1)  # a broadcast waits between two browsers, as it does between two of 500
    chance, strikes = random.Random(7), Strikes(within=["realtime"])
    event = await make_event(seats=SEATS, active_limit=2)
    room, seats = runtime.waiting_room, runtime.seats
    presence = Presence(room, tick_seconds=0.05)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(strikes.on(begins_in("realtime")))
        live = await stack.enter_async_context(process(runtime, event, audit_seconds=0.2))
        presence.start(runtime.supervisor)
        tabs = [Tab(live, f"visitor-{n}") for n in range(6)]
        for tab in tabs:
            live.seat_feed.watch(tab)

        async def join(attendance: Attendance) -> None:
            await live.queue_feed.learn(attendance, room.join(event, attendance.visitor))

        async def activity() -> None:
            """One of everything, so that every await of every feed is met."""
            # Before the rest: what a strike has broken later in this round is not mended by a new subscription.
            if chance.random() < 0.3:
                await runtime.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
                await asyncio.sleep(0.3)
            for tab in chance.sample(tabs, len(tabs)):
                await join(tab.attendance)
                presence.alive(live, tab.attendance)
            for tab in tabs:
                with contextlib.suppress(NotActive, SeatTaken, TooManySeats):
                    await seats.hold(event, tab.attendance.visitor, [chance.randrange(SEATS)])
            leaving = chance.choice(tabs).attendance.visitor
            await room.leave(event, leaving)
            # News of the very version that is known is looked up.
            live.queue_feed.message(b'{"v": %d, "out": [["%s", "left"]]}' % (_version(tabs), leaving.encode()))
            await runtime.events.update(event.slug, paused=not live.event.paused)
            await room.tell_sale_changed(event)
            live._subscriptions.add(f"t-{len(strikes.struck)}", live.queue_feed)  # as of another event
            await runtime.events.update(event.slug, paused=False)

        async def wrong() -> list[str]:
            await room.sweep(event)
            await asyncio.sleep(0.1)
            board = await seats.board(event)
            found = []
            for tab in tabs:
                visitor = tab.attendance.visitor
                place = truth(await room.place(event, visitor))
                if tab.shows != place:
                    found.append(f"{visitor} shows {tab.shows}, is {place}")
                if BoardSnapshot(tab.board.epoch, tab.board.version, bytes(tab.board.states)) != board:
                    found.append(f"{visitor} has board {tab.board.version}, is {board.version}")
                basket = await seats.basket(event, visitor)
                if sorted(tab.basket) != sorted(basket.seats if basket else ()):
                    found.append(f"{visitor} shows basket {tab.basket}, has {basket}")
            return found

        async def converges() -> None:
            deadline = asyncio.get_running_loop().time() + PATIENCE
            while differences := await wrong():
                assert asyncio.get_running_loop().time() < deadline, (strikes.struck[-1:], differences)

        fruitless = rounds = 0
        while rounds < MOST_ROUNDS and (fruitless < 4 or AWAITS - strikes.functions):
            rounds += 1
            before = len(strikes.struck)
            strikes.arm()
            await activity()
            await converges()
            fruitless = fruitless + 1 if len(strikes.struck) == before else 0
        strikes.armed = False
        await presence.stop()
    missed = AWAITS - strikes.functions
    assert not missed, f"not struck: {missed}; struck: {strikes.struck}"
    assert not [service.name for service in runtime.supervisor.services if service.name.startswith("realtime.")]


def _version(tabs: list[Tab]) -> int:
    return max(tab.attendance.version for tab in tabs)


async def test_who_is_put_out_goes_and_what_is_empty_is_let_go_after_an_error_at_any_await(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a process does for all of its sales: `realtime.removals` and `realtime.linger`."""
    for name in ("_LINGER_SECONDS", "FRESH_SECONDS"):
        monkeypatch.setattr(live, name, 0.05)
    wanted = {"live.Live._put_out", "live.Live._let_go", "live_event.LiveEvent.close"}
    strikes = Strikes(wanted, within=["realtime"])
    rounds = fruitless = 0
    with strikes.on(begins_in("realtime")):
        async with live_server(runtime) as server:
            while rounds < MOST_ROUNDS and fruitless < 4:
                rounds += 1
                before = len(strikes.struck)
                strikes.arm()
                event = await make_event()
                async with server.browser(event.slug) as browser:
                    await browser.entered()
                    ends = runtime.clock.now() + timedelta(minutes=30)
                    await runtime.removals.add(event, visitor=browser.visitor, until=ends, actor="test")
                    await runtime.removals.refresh()
                    await browser.until("expired")
                    assert await runtime.waiting_room.place(event, browser.visitor) is None
                await until(lambda: not server.live._live, "an empty sale is let go")
                fruitless = fruitless + 1 if len(strikes.struck) == before else 0
            strikes.armed = False
    assert strikes.functions == wanted, strikes.struck
    # A pause and a call each.
    assert len([one for one in strikes.struck if one.function == "live.Live._put_out"]) == 2, strikes.struck


class Ear:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.heard: set[bytes] = set()

    def subscribed(self) -> None: ...

    def message(self, data: bytes) -> None:
        self.heard.add(data)


async def test_each_shard_is_heard_again_after_an_error_at_any_await(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a Cluster: channels come and go, connections are lost, slots are asked for."""
    monkeypatch.setattr(cluster_subscriptions, "_LOOK_SECONDS", 0.05)
    ours = ("ClusterSubscriptions._run", "ClusterSubscriptions._look", "ClusterSubscriptions._let_go")
    wanted = {f"cluster_subscriptions.{name}" for name in ours}
    # Whoever ends a connection waits in the ends of its services.
    strikes = Strikes(wanted | {"subscriptions.Subscriptions.stop"}, within=["realtime"])
    with topologies.cluster() as (url, _), strikes.on(begins_in("realtime")):
        redis, supervisor = redis_client(url, 16), Supervisor()
        cluster = cluster_of(redis)
        assert cluster is not None
        subscribed = ClusterSubscriptions(redis, cluster)
        subscribed.start(supervisor)
        rounds = fruitless = 0
        while rounds < MOST_ROUNDS and fruitless < 4:
            rounds += 1
            before = len(strikes.struck)
            ears = {keys.seats_channel(f"s-{rounds}-{number}"): Ear() for number in range(6)}
            for channel, ear in ears.items():
                subscribed.add(channel, ear)
            strikes.arm()
            subscribed._doubt()

            async def all_hear(ears: dict[str, Ear] = ears) -> bool:
                for channel in ears:
                    for command in ("PUBLISH", "SPUBLISH"):
                        await redis.execute_command(command, channel, command.encode())
                return all(ear.heard == {b"PUBLISH", b"SPUBLISH"} for ear in ears.values())

            await until(all_hear, "all hear both")
            for channel, ear in ears.items():
                subscribed.remove(channel, ear)
            await until(lambda: not subscribed._nodes, "no node is kept that nobody needs")
            fruitless = fruitless + 1 if len(strikes.struck) == before else 0
        strikes.armed = False
        await subscribed.stop()
        await supervisor.drain(10)
        await redis.aclose()
    assert strikes.functions >= wanted, strikes.struck
