"""F9: the wait is told as a band from the sale's own record; promised and actual waits are published."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import keys
from core.runtime import Runtime
from core.seats.board import SeatState
from core.venue.event import Event
from core.waiting_room.pace import USUAL_SPREAD, past_wait, wait_band
from core.waiting_room.place import Place
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient")

shares = st.floats(0, 50)


@given(st.integers(0, 10**6), st.none() | st.tuples(shares, shares).map(lambda pair: (min(pair), max(pair))))
def test_a_band_is_one(expected: int, spread: tuple[float, float] | None) -> None:
    band = wait_band(expected, spread)
    assert band is not None
    assert 0 <= band.low < band.high
    low, high = spread or USUAL_SPREAD
    assert band.low <= expected * low
    assert band.high >= expected * high


def test_nothing_known_is_no_band() -> None:
    assert wait_band(None, (1.0, 2.0)) is None


@given(st.integers(1, 10**5), st.integers(0, 10**5))
def test_a_promise_is_kept_within_its_band(expected: int, waited: int) -> None:
    wait = past_wait(f"1700000000000|{expected}|0.500|2.000|{waited}")
    assert wait.kept == (wait.promised.low <= waited <= wait.promised.high)
    assert wait.actual == waited


async def as_any(call: Any) -> Any:
    return await call


async def wait_and_enter(runtime: Runtime, event: Event, visitor: str, seconds: float) -> float:
    """The visitor waits so long behind "in", who then leaves; and makes room. By how much longer it may have been, in
    seconds: a busy machine lets time pass between the steps.
    """
    began = time.monotonic()
    await runtime.waiting_room.join(event, "in")
    await runtime.waiting_room.join(event, visitor)
    name, field = keys.shares(event.slug), f"w|{visitor}"
    joined, *rest = (await as_any(runtime.redis.hget(name, field))).decode().split("|")
    await as_any(runtime.redis.hset(name, field, "|".join([str(int(joined) - int(seconds * 1000)), *rest])))
    await runtime.waiting_room.leave(event, "in")
    late = time.monotonic() - began
    await runtime.waiting_room.leave(event, visitor)
    return late


@pytest.fixture
async def event(make_event: MakeEvent) -> Event:
    return await make_event(active_limit=1)


async def test_promised_and_actual_are_remembered(runtime: Runtime, event: Event) -> None:
    late = await wait_and_enter(runtime, event, "v", 90)
    (wait,) = await runtime.waiting_room.past_waits(event)
    assert 90 <= wait.actual <= 91 + late
    expected = int(runtime.settings.session_seconds)
    assert wait.promised == wait_band(expected, None)
    assert not wait.kept
    # Who is let in at once was promised nothing, and who leaves the queue has no wait.
    await runtime.waiting_room.join(event, "in")
    await runtime.waiting_room.join(event, "w")
    await runtime.waiting_room.leave(event, "w")
    assert len(await runtime.waiting_room.past_waits(event)) == 1
    promised = [name for name in await as_any(runtime.redis.hkeys(keys.shares(event.slug))) if name.startswith(b"w|")]
    assert promised == []


async def test_the_band_follows_what_the_waits_came_to(runtime: Runtime, event: Event) -> None:
    """Twenty waits of 10% to 29% of what was expected: two shortest and two longest aside, that is the next band."""
    expected = int(runtime.settings.session_seconds)
    late = max([await wait_and_enter(runtime, event, f"v{n}", expected * (10 + n) / 100) for n in range(20)])
    await as_any(runtime.redis.hdel(keys.pace(event.slug), "departures"))
    await runtime.waiting_room.sweep(event)
    await as_any(runtime.redis.hdel(keys.pace(event.slug), "departures"))
    await runtime.waiting_room.join(event, "in")
    place = await runtime.waiting_room.join(event, "v")
    assert place.wait is not None
    for told, share in ((place.wait.low, 0.12), (place.wait.high, 0.27)):
        assert -3 <= told - expected * share <= 3 + late
    assert (await runtime.waiting_room.place(event, "in")).wait == (0, 0)  # type: ignore[union-attr]


async def test_the_record_is_bounded(runtime: Runtime, event: Event) -> None:
    """Rule 8."""
    await as_any(runtime.redis.rpush(keys.waits(event.slug), *["1700000000000|60|||60"] * 700))
    await wait_and_enter(runtime, event, "v", 1)
    assert await as_any(runtime.redis.llen(keys.waits(event.slug))) == 500
    assert len(await runtime.waiting_room.past_waits(event)) == 200


async def test_who_has_room_already_is_told_so(runtime: Runtime, event: Event) -> None:
    """F9: the next sweep lets them in; unless every seat is sold, when nobody comes in whatever room there is."""
    room = runtime.waiting_room
    for visitor in ("in", "a", "b", "c"):
        await room.join(event, visitor)
    raised = await runtime.events.update(event.slug, active_limit=3)

    async def told() -> list[int | None]:
        places = [await room.place(raised, visitor) for visitor in "abc"]
        return [place.eta_seconds for place in places if isinstance(place, Place)]

    session = int(runtime.settings.session_seconds)
    assert await told() == [1, 1, session]
    board = await as_any(runtime.redis.get(keys.board(event.slug)))
    await runtime.redis.set(keys.board(event.slug), bytes([SeatState.SOLD]) * len(board))
    assert await told() == [session] * 3
    assert (await room.sweep(raised)).admitted == 0
    await runtime.redis.set(keys.board(event.slug), board)
    assert await told() == [session] * 3, "a board that did not change is not looked through for each who asks"
    assert (await room.sweep(raised)).admitted == 2
