"""Seats refused by what a process knows (S3, E1): true at the version that is told, in time, and never a grant."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import orjson
import pytest

from core import keys
from core.errors import NotActive, SeatTaken, TooManySeats
from core.process.lua_redis import ScriptRunner
from core.runtime import Runtime
from core.seats import known_taken
from core.seats.board import SeatState
from core.venue.event import Event
from realtime.resync import Resync
from tests.conftest import MakeEvent
from tests.live_server import PATIENCE, LiveServer
from tests.waits import until

CROWD = 20
ROUNDS = 40
SEATS = 4


@pytest.fixture(autouse=True)
def known_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of a visitor is forgotten by what happens, and not because the machine stands still."""
    monkeypatch.setattr(known_taken, "KNOWN_SECONDS", PATIENCE)


@pytest.fixture
def scripts_run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the scripts that were sent to Redis."""
    names: list[str] = []
    given = ScriptRunner.__call__

    async def noted(self: ScriptRunner, script: Any, *more: Any) -> Any:
        names.append(script.name)
        return await given(self, script, *more)

    monkeypatch.setattr(ScriptRunner, "__call__", noted)
    return names


async def crowded(runtime: Runtime, make_event: MakeEvent, *visitors: str, seats: int = SEATS) -> Event:
    event = await make_event(seats=seats, active_limit=CROWD + 2)
    for visitor in visitors:
        await runtime.waiting_room.join(event, visitor)
    return event


async def followed(server: LiveServer, event: Event) -> Any:
    """This process has the board at hand; its feed."""
    server.live.follow(event)
    live = server.live._live[event.slug]
    async with asyncio.timeout(PATIENCE):
        await live.ready()
    return live.seat_feed


async def refusal(runtime: Runtime, event: Event, visitor: str, seat: int) -> SeatTaken:
    with pytest.raises(SeatTaken) as refused:
        await runtime.seats.hold(event, visitor, [seat])
    assert refused.value.seats == [seat]
    return refused.value


async def test_the_second_refusal_costs_redis_nothing(
    server: LiveServer, make_event: MakeEvent, scripts_run: list[str]
) -> None:
    runtime = server.runtime
    event = await crowded(runtime, make_event, "a", "b")
    feed = await followed(server, event)
    await runtime.seats.hold(event, "a", [1])
    board = await runtime.seats.board(event)
    await until(lambda: feed.version == (board.epoch, board.version))
    assert "board" not in (await refusal(runtime, event, "b", 1)).data
    held = scripts_run.count("hold")
    assert (await refusal(runtime, event, "b", 1)).data["board"] == {"epoch": board.epoch, "version": board.version}
    assert scripts_run.count("hold") == held
    # One's own seat is no refusal, and what is free is granted.
    assert (await runtime.seats.hold(event, "a", [1])).seats == (1,)
    assert (await runtime.seats.hold(event, "b", [0])).seats == (0,)


async def test_who_has_left_is_told_so_and_not_of_the_seat(server: LiveServer, make_event: MakeEvent) -> None:
    """Rule 4: `not_active` comes first, whichever process heard of it."""
    runtime = server.runtime
    event = await crowded(runtime, make_event, "a", "b")
    feed = await followed(server, event)
    await runtime.seats.hold(event, "a", [1])
    await until(lambda: feed.states()[1])
    await refusal(runtime, event, "b", 1)
    await runtime.waiting_room.leave(event, "b")
    with pytest.raises(NotActive):
        await runtime.seats.hold(event, "b", [1])


async def test_too_many_comes_first_for_who_has_bought(server: LiveServer, make_event: MakeEvent) -> None:
    """F3: what was bought counts, and only Redis has the figure."""
    runtime = server.runtime
    event = await crowded(runtime, make_event, "a", "b", seats=8)
    feed = await followed(server, event)
    basket = await runtime.seats.hold(event, "b", [0, 1, 2])
    await runtime.seats.begin_payment(event, "b")
    await runtime.seats.settle(event, "b", basket.fence, basket.seats, SeatState.SOLD)
    await runtime.seats.hold(event, "a", [5])
    await until(lambda: feed.states()[5])
    await refusal(runtime, event, "b", 5)
    with pytest.raises(TooManySeats):
        await runtime.seats.hold(event, "b", [5, 6])
    await runtime.seats.hold(event, "b", [4])
    with pytest.raises(TooManySeats):
        await runtime.seats.hold(event, "b", [5])


async def _as_heard(runtime: Runtime, event: Event, history: dict[int, list[int]]) -> None:
    """Keeps the board at each of its versions, as Redis tells of them."""
    pubsub = runtime.redis.pubsub()
    await pubsub.subscribe(keys.seats_channel(event.slug))
    snapshot = await runtime.seats.board(event)
    states, version = list(snapshot.states), snapshot.version
    history[version] = states
    async for message in pubsub.listen():
        if message["type"] != "message":
            continue
        told = orjson.loads(message["data"])
        first = told["version"] - len(told["changes"])
        for at, (ordinal, state) in enumerate(told["changes"], start=first + 1):
            states = [*states]
            states[ordinal] = state
            history[at] = states


async def test_every_refusal_was_true_at_its_version(server: LiveServer, make_event: MakeEvent) -> None:
    """A crowd that holds and lets go: what a process knew, against what Redis told of each version."""
    runtime = server.runtime
    visitors = [f"v{number}" for number in range(CROWD)]
    event = await crowded(runtime, make_event, *visitors)
    await followed(server, event)
    history: dict[int, list[int]] = {}
    listening = asyncio.create_task(_as_heard(runtime, event, history))
    await until(lambda: history)
    known: list[SeatTaken] = []
    granted = 0

    async def buyer(visitor: str) -> None:
        nonlocal granted
        mine = random.Random(visitor)
        for _ in range(ROUNDS):
            try:
                await runtime.seats.hold(event, visitor, [mine.randrange(SEATS)])
            except SeatTaken as error:
                if "board" in error.data:
                    known.append(error)
                await asyncio.sleep(0)
                continue
            granted += 1
            await asyncio.sleep(mine.random() * 0.005)
            await runtime.seats.release(event, visitor)

    await asyncio.gather(*map(buyer, visitors))
    assert known
    assert granted
    last = max(error.data["board"]["version"] for error in known)
    await until(lambda: max(history) >= last)
    listening.cancel()
    for error in known:
        states = history[error.data["board"]["version"]]
        assert all(states[seat] for seat in error.seats)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_board_that_is_behind_refuses_nothing(
    server: LiveServer, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """The control: were a board that is behind believed, a seat that is free would be refused."""
    runtime = server.runtime
    event = await crowded(runtime, make_event, "a", "b")
    feed = await followed(server, event)
    await runtime.seats.hold(event, "a", [1])
    await until(lambda: feed.states()[1])
    await refusal(runtime, event, "b", 1)
    # Nothing is heard or fetched any more.
    monkeypatch.setattr(Resync, "hear", lambda self, message: self._catch_up.begin())
    if not guarded:
        monkeypatch.setattr(Resync, "behind_for", lambda self: 0.0)
    feed.resync._catch_up.begin()
    await runtime.redis.publish(keys.seats_channel(event.slug), orjson.dumps({"epoch": 1, "version": 0, "changes": []}))
    await runtime.seats.release(event, "a")
    if guarded:
        assert (await runtime.seats.hold(event, "b", [1])).seats == (1,)
    else:
        assert (await refusal(runtime, event, "b", 1)).data["board"]
