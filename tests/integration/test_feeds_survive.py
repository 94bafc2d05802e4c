"""R1: a feed survives any exception at any of its awaits; what browsers show is true again soon afterwards.

The task factory of the event loop wraps what `realtime` runs in the background. One await after the other, wherever
the activity below comes by, is made to raise an error that nobody expects, as a library's bug would.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import random
from collections.abc import Coroutine, Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import realtime
from core.errors import NotActive, SeatTaken, TooManySeats
from core.runtime import Runtime
from core.seats.board import BoardSnapshot
from realtime import hub
from realtime.attendance import Attendance
from realtime.presence import Presence
from realtime.resync import PAUSES
from tests.conftest import MakeEvent
from tests.live_server import PATIENCE
from tests.live_tabs import Tab, process, truth

ROOM = Path(realtime.__file__).parent
SEATS = 12
MOST_ROUNDS = 200

#: Where background work of an event waits. Each of these is struck once, at every line at which it does.
AWAITS = {
    "hub.Hub.broadcast",
    "live_event.LiveEvent._look",
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
    "subscriptions.Subscriptions._ask",
    "subscriptions.Subscriptions._read",
    "subscriptions.Subscriptions._follow",
}


class Injected(Exception):
    """What nobody expects."""


class Await(NamedTuple):
    """The innermost function of `realtime` that waits, and the line."""

    function: str
    line: int


class Strikes:
    """`arm`: the next await that was not struck yet raises."""

    def __init__(self) -> None:
        self.struck: list[Await] = []
        self.armed = False

    @property
    def functions(self) -> set[str]:
        return {place.function for place in self.struck}

    def arm(self) -> None:
        self.armed = True

    def due(self, coroutine: Any) -> bool:
        if not self.armed:
            return False
        place = _waits_at(coroutine)
        if place is None or place in self.struck:
            return False
        self.struck.append(place)
        self.armed = False
        return True


def _waits_at(coroutine: Any) -> Await | None:
    """None for one that has not begun."""
    found, inner = None, coroutine
    while inspect.iscoroutine(inner) and inspect.getcoroutinestate(inner) == inspect.CORO_SUSPENDED:
        code = inner.cr_code
        if Path(code.co_filename).parent == ROOM:
            line = inner.cr_frame.f_lineno if inner.cr_frame else 0
            found = Await(f"{Path(code.co_filename).stem}.{code.co_qualname}", line)
        inner = inner.cr_await
    return found


class Struck(Coroutine[Any, Any, Any]):
    """A coroutine whose awaits raise when that is due."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], strikes: Strikes) -> None:
        self._coroutine = coroutine
        self._strikes = strikes

    def send(self, value: Any) -> Any:
        if self._strikes.due(self._coroutine):
            return self._coroutine.throw(Injected(str(self._strikes.struck[-1])))
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield from self._coroutine.__await__())


@pytest.fixture
async def strikes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Strikes every task whose outermost function is one of `realtime`."""
    strikes = Strikes()

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        ours = inspect.iscoroutine(coroutine) and Path(coroutine.cr_code.co_filename).parent == ROOM
        return asyncio.Task(Struck(coroutine, strikes) if ours else coroutine, loop=loop, **options)

    monkeypatch.setattr(hub, "_TURN", 1)  # a broadcast waits between two browsers, as it does between two of 500
    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    yield strikes
    loop.set_task_factory(None)


@pytest.fixture
def quick_restarts() -> Iterator[None]:
    """Struck some thirty times in a row, a feed would pause for two seconds each time."""
    longest = PAUSES.longest
    object.__setattr__(PAUSES, "longest", 0.2)
    yield
    object.__setattr__(PAUSES, "longest", longest)


@pytest.mark.usefixtures("quick_restarts")
async def test_map_queue_and_baskets_are_true_again_after_an_error_at_any_await(
    runtime: Runtime, make_event: MakeEvent, strikes: Strikes
) -> None:
    chance = random.Random(7)
    event = await make_event(seats=SEATS, active_limit=2)
    room, seats = runtime.waiting_room, runtime.seats
    presence = Presence(room, tick_seconds=0.05)
    async with process(runtime, event, audit_seconds=0.2) as live:
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
