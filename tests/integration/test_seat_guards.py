"""Guards of the seat scripts that nothing else would miss: each test fails when its guard is taken out."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core import keys
from core.errors import HoldExpired
from core.runtime import Runtime, open_runtime
from core.seats.board import SeatState
from core.seats.hold_scripts_redis import HOLD_KEPT_MS
from core.venue.event import Event
from tests.conftest import MakeEvent
from tests.queueing import enter
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient")


async def _gone(runtime: Runtime, event: Event, ordinal: int) -> None:
    """Once the seat's deadline is over. Its key outlives that by so much as an outage may give back (R4)."""
    async with asyncio.timeout(PATIENCE):
        while await runtime.redis.pttl(keys.seat_state(event.slug, ordinal)) > HOLD_KEPT_MS:
            await asyncio.sleep(0.05)


async def test_a_fence_grows_after_redis_lost_the_counter(runtime: Runtime, make_event: MakeEvent) -> None:
    """PostgreSQL refuses a younger fence's seat to an older one: a counter that began again would sell nothing."""
    event = await make_event()
    await enter(runtime, event, "a", "b")
    first = await runtime.seats.hold(event, "a", [0])
    await runtime.redis.delete(keys.fence(event.slug))
    second = await runtime.seats.hold(event, "b", [1])
    assert second.fence > first.fence


async def test_a_fence_grows_when_the_clock_of_redis_is_set_back(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    await enter(runtime, event, "a")
    first = await runtime.seats.hold(event, "a", [0])
    ahead = first.fence + 3_600_000_000
    await runtime.redis.set(keys.fence(event.slug), ahead)
    assert (await runtime.seats.hold(event, "a", [1])).fence == ahead + 1


async def test_a_hold_ends_with_its_session(runtime: Runtime, make_event: MakeEvent) -> None:
    """What the buyer reads is the moment at which the seats are lost: the session's end, when that comes first."""
    event = await make_event(hold_seconds=3_000)
    await enter(runtime, event, "a")
    place = await runtime.waiting_room.place(event, "a")
    assert place is not None
    assert place.until is not None
    basket = await runtime.seats.hold(event, "a", [0])
    assert basket.until == place.until
    left = await runtime.redis.pttl(keys.seat_state(event.slug, 0))
    assert left - HOLD_KEPT_MS <= runtime.settings.session_seconds * 1000
    assert await runtime.redis.zscore(keys.holds(event.slug), 0) == place.until.timestamp() * 1000


async def test_a_hold_that_is_over_ends_before_any_sweep(runtime: Runtime, make_event: MakeEvent) -> None:
    """Nobody sweeps here: neither a new hold, nor more time, nor a payment brings it back to life."""
    event = await make_event(hold_seconds=1)
    await enter(runtime, event, "a", "b", "c")
    for visitor, seat in (("a", 0), ("b", 1), ("c", 2)):
        await runtime.seats.hold(event, visitor, [seat])
    for seat in range(3):
        await _gone(runtime, event, seat)
    again = await runtime.seats.hold(event, "a", [5])
    assert again.seats == (5,)
    assert (await runtime.seats.board(event)).states[:6] == bytes([0, 1, 1, 0, 0, 1])
    with pytest.raises(HoldExpired):
        await runtime.seats.extend(event, "b")
    with pytest.raises(HoldExpired):
        await runtime.seats.begin_payment(event, "c")
    assert await runtime.seats.basket(event, "c") is None


async def test_a_hold_that_no_basket_names_is_freed_by_the_sweep(
    settings: Any, stores: Any, make_event: MakeEvent
) -> None:
    """The second net: Redis lost the basket, and only the deadline says that the seat was held."""
    event = await make_event()
    async with open_runtime(settings, stores) as runtime:
        await enter(runtime, event, "a")
        await runtime.seats.hold(event, "a", [0, 1])
        await runtime.redis.delete(keys.baskets(event.slug), keys.basket_deadlines(event.slug))
        await runtime.waiting_room.sweep(event)
        assert (await runtime.seats.board(event)).states[:2] == bytes([1, 1]), "before its time"
        for seat in (0, 1):  # its time passes
            await runtime.redis.zadd(keys.holds(event.slug), {str(seat): 1_000.0})
            await runtime.redis.pexpire(keys.seat_state(event.slug, seat), HOLD_KEPT_MS)
        await runtime.waiting_room.sweep(event)
        assert (await runtime.seats.board(event)).states[:2] == bytes([0, 0])
        assert await runtime.redis.zcard(keys.holds(event.slug)) == 0


async def test_a_result_that_is_told_again_leaves_the_next_basket_alone(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """The process died between telling and noting it: the next one tells again, while the buyer buys more."""
    event = await make_event()
    await enter(runtime, event, "a")
    await runtime.seats.hold(event, "a", [0])
    first = await runtime.seats.begin_payment(event, "a")
    await runtime.seats.settle(event, "a", first.fence, [0], SeatState.SOLD)
    soon = (await runtime.waiting_room.place(event, "a")).until  # type: ignore[union-attr]
    held = await runtime.seats.hold(event, "a", [1])
    await runtime.seats.settle(event, "a", first.fence, [0], SeatState.SOLD)
    assert await runtime.seats.basket(event, "a") == held
    assert (await runtime.waiting_room.place(event, "a")).until == soon  # type: ignore[union-attr]
    second = await runtime.seats.begin_payment(event, "a")
    await runtime.seats.settle(event, "a", first.fence, [0], SeatState.SOLD)
    assert await runtime.seats.basket(event, "a") == second
    assert await runtime.redis.zscore(keys.active_paying(event.slug), "a") is not None, "cut off while paying"
    assert (await runtime.seats.board(event)).states[:2] == bytes([2, 1])


async def test_a_second_sale_does_not_lengthen_the_session(runtime: Runtime, make_event: MakeEvent) -> None:
    """The session that a purchase leaves ends when it said, also when the same result is told much later."""
    event = await make_event()
    await enter(runtime, event, "a")
    await runtime.seats.hold(event, "a", [0])
    first = await runtime.seats.begin_payment(event, "a")
    soon = int((await runtime.waiting_room.place(event, "a")).until.timestamp()) * 1000  # type: ignore[union-attr]
    early = soon - int(timedelta(minutes=9).total_seconds()) * 1000
    await runtime.redis.zadd(keys.active_until(event.slug), {"a": early})
    await runtime.seats.settle(event, "a", first.fence, [0], SeatState.SOLD)
    assert await runtime.redis.zscore(keys.active_until(event.slug), "a") == early


async def test_an_old_basket_frees_no_seat_that_is_somebody_elses_now(runtime: Runtime, make_event: MakeEvent) -> None:
    """Its time was over when Redis lost the board: the seat was free, and is the next buyer's before any sweep."""
    event = await make_event(hold_seconds=1)
    patient = replace(event, hold_seconds=600)
    await enter(runtime, event, "a", "b")
    await runtime.seats.hold(event, "a", [0, 1])
    for seat in (0, 1):
        await _gone(runtime, event, seat)
        await runtime.redis.delete(keys.seat_state(event.slug, seat))
    await runtime.redis.delete(keys.board(event.slug))
    held = await runtime.seats.hold(patient, "b", [0])
    await runtime.waiting_room.sweep(event)
    assert await runtime.seats.release(event, "a") is None
    assert (await runtime.seats.board(event)).states[:2] == bytes([1, 0])
    assert await runtime.seats.begin_payment(event, "b") == replace(held, paying=True)
