"""Whatever happens in whatever order, in the end every browser of every process knows what Redis knows.

Two processes' worth of live events on one real Valkey; joins, leaves, sweeps, holds and releases at random and at the
same time, pub/sub connections cut in the middle of it. Rules 4 and 6, S7.
"""

from __future__ import annotations

import asyncio
import random

import orjson
import pytest

from core.errors import OnsaleError
from core.runtime import Runtime
from realtime.attendance import Attendance
from realtime.composition import channel_limits
from realtime.connection import Connection
from realtime.live_event import LiveEvent
from realtime.subscriptions import Subscriptions
from realtime.wire import ExpiredReason
from tests.conftest import MakeEvent
from tests.live_server import PATIENCE
from tests.live_tabs import Tab, process, truth

pytestmark = pytest.mark.usefixtures("patient")

SEATS = 30
WHAT_HAPPENS = ("join", "join", "stranger", "place", "leave", "away", "sweep", "hold", "release", "cut")
REFUSALS = {"not_active", "seat_taken", "too_many_seats"}


@pytest.mark.parametrize("seed", range(8))
async def test_every_browser_ends_up_with_what_redis_knows(runtime: Runtime, make_event: MakeEvent, seed: int) -> None:
    chance = random.Random(seed)
    event = await make_event(seats=SEATS, active_limit=3)
    room, seats = runtime.waiting_room, runtime.seats
    async with process(runtime, event) as one, process(runtime, event) as two:
        tabs = [Tab(live, f"visitor-{i}") for i in range(12) for live in (one, two)]
        for tab in tabs:
            connection: Connection = tab
            tab.live.seat_feed.watch(connection)
        strangers = [f"stranger-{i}" for i in range(10)]

        async def learn(attendance: Attendance, live: LiveEvent, join: bool) -> None:
            call = room.join if join else room.place
            await live.queue_feed.learn(attendance, call(event, attendance.visitor))

        async def step() -> None:
            tab, stranger = chance.choice(tabs), chance.choice(strangers)
            visitor = tab.attendance.visitor
            match chance.choice(WHAT_HAPPENS):
                case "join":
                    await learn(tab.attendance, tab.live, join=True)
                case "place":
                    await learn(tab.attendance, tab.live, join=False)
                case "stranger":
                    await room.join(event, stranger)
                case "leave":
                    await room.leave(event, visitor)
                case "away":
                    await room.leave(event, stranger)
                case "sweep":
                    await room.sweep(event)
                case "hold":
                    await seats.hold(event, visitor, [chance.randrange(SEATS)])
                case "release":
                    await seats.release(event, visitor, None)
                case "cut" if chance.random() < 0.15:
                    await runtime.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

        async def tolerant() -> None:
            try:
                await step()
            except OnsaleError as error:
                if error.code not in REFUSALS:
                    raise

        for _ in range(60):
            await asyncio.gather(*(tolerant() for _ in range(chance.randint(1, 8))))

        async def settled() -> list[str]:
            """What differs: the sweeps go on, as they do in a running system."""
            await room.sweep(event)
            await asyncio.sleep(0.3)
            board = await seats.board(event)
            wrong = []
            for tab in tabs:
                place = truth(await room.place(event, tab.attendance.visitor))
                # A second tab of a visitor who joined in another process learns of it when it next asks.
                if tab.shows != place and not (tab.shows == ("none",) and place[0] == "waiting"):
                    wrong.append(f"{tab.attendance.visitor} shows {tab.shows}, is {place}")
                if (tab.board.epoch, tab.board.version) != (board.epoch, board.version):
                    wrong.append(f"{tab.attendance.visitor} has board {tab.board.version}, is {board.version}")
                elif bytes(tab.board.states) != board.states:
                    wrong.append(f"{tab.attendance.visitor} has another board of the same version")
            return wrong

        deadline = asyncio.get_running_loop().time() + PATIENCE
        while wrong := await settled():
            assert asyncio.get_running_loop().time() < deadline, wrong


async def test_late_news_of_an_earlier_session_does_not_end_this_one(runtime: Runtime, make_event: MakeEvent) -> None:
    """The same queue version says nothing about which came first: the visitor is looked up, and never told wrongly."""
    event = await make_event()
    room = runtime.waiting_room
    live = LiveEvent(
        event,
        session_seconds=runtime.settings.session_seconds,
        limits=channel_limits(runtime.settings),
        clock=runtime.clock,
        supervisor=runtime.supervisor,
        subscriptions=Subscriptions(runtime.redis),
        events=runtime.events,
        waiting_room=room,
        seats=runtime.seats,
        stores=runtime.stores,
    )
    feed = live.queue_feed
    services = feed.start(runtime.supervisor)
    feed.subscribed()
    try:
        await feed.ready.wait()
        tab = Tab(live, "visitor")
        told: list[ExpiredReason] = []
        tab.told_expired = told.append  # type: ignore[method-assign, assignment]
        await room.join(event, "visitor")
        await room.leave(event, "visitor")
        await feed.learn(tab.attendance, room.join(event, "visitor"))
        version = tab.attendance.version
        assert tab.shows == ("active",)
        looked_up = tab.attendance.revision
        feed.message(orjson.dumps({"v": version, "out": [["visitor", "left"]], "waiting": 0, "active": 0}))
        async with asyncio.timeout(PATIENCE):
            while tab.attendance.revision < looked_up + 2:  # the news, and the answer that settles it
                await asyncio.sleep(0.01)
        assert told == []
        assert tab.attendance.state == "active"
        # And when it is true, it is told.
        await room.leave(event, "visitor")
        feed.message(orjson.dumps({"v": version, "out": [["visitor", "left"]], "waiting": 0, "active": 0}))
        async with asyncio.timeout(PATIENCE):
            while not told:
                await asyncio.sleep(0.01)
    finally:
        await asyncio.gather(*(service.end() for service in services))
