"""F8: the script that picks and holds in one step does what the plain rule says, for everybody at once."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from core import keys
from core.embedded import Engines
from core.errors import (
    InvalidRequest,
    LeavesSingleSeat,
    NotActive,
    NotTogether,
    PaymentInProgress,
    SeatTaken,
    TooManySeats,
)
from core.runtime import Runtime, open_runtime
from core.seats.best_seats import MOST_GROUPS, Hall, Wish, hall_of, largest, pick, resolved, ways
from core.seats.best_seats_table import packed
from core.seats.board import SeatState
from core.seats.composition import seat_scripts
from core.seats.halls import SeatTable
from core.settings import Settings
from core.venue.event import Event, Orphans, SaleStatus
from core.venue.new_event import NewEvent
from core.venue.seat_plan import SeatPlan
from tests.conftest import MakeEvent, small_plan
from tests.halls import plans, single_seats, wishes
from tests.machine_world import World, opened_world
from tests.queueing import enter

pytestmark = pytest.mark.usefixtures("patient")

#: Only its figures count here: no store knows it.
EVENT = Event(
    id=1,
    slug="none",
    name="None",
    status=SaleStatus.OPEN,
    paused=False,
    opens_at=None,
    closes_at=None,
    starts_at=None,
    currency="KRW",
    prices={},
    active_limit=1,
    hold_seconds=60,
    max_seats=50,
    seat_count=1,
    plan_digest="none",
)


@pytest.fixture(scope="module")
def world(settings: Settings, stores: Engines) -> Iterator[World]:
    with opened_world(settings, stores) as opened:
        yield opened


#: Which share of the seats is gone.
SOLD = st.sampled_from([0.0, 0.3, 0.5, 0.8])


async def _lay_out(runtime: Runtime, slug: str, states: bytes) -> None:
    """A board, with "v" inside."""
    async with runtime.redis.pipeline() as pipeline:
        pipeline.set(keys.board(slug), states, ex=60)
        pipeline.hset(keys.board_version(slug), mapping={"epoch": 1, "counter": 0})
        pipeline.expire(keys.board_version(slug), 60)
        pipeline.zadd(keys.active_users(slug), {"v": 1})
        pipeline.expire(keys.active_users(slug), 60)
        pipeline.zadd(keys.active_until(slug), {"v": 10**14})
        pipeline.expire(keys.active_until(slug), 60)
        await pipeline.execute()


async def _compare(runtime: Runtime, event: Event, plan: SeatPlan, states: bytes, wish: Wish, companions: int) -> None:
    """What the script picks on these states, against the rule."""
    hall = hall_of(plan, None, companions)
    if wish.zone not in (None, *hall.zones):
        return
    event = replace(event, slug=f"b-{secrets.token_hex(6)}", seat_count=len(plan.seats), max_seats=50)
    await _lay_out(runtime, event.slug, states)
    table, scripts = SeatTable(hall, packed(hall)), seat_scripts(runtime.settings, runtime.run)
    expected = pick(hall, states, resolved(hall, wish))
    if expected is None:
        with pytest.raises(NotTogether) as refusal:
            await scripts.pick(event, "v", table, wish)
        assert refusal.value.largest == largest(hall, states, resolved(hall, wish))
        for other in refusal.value.alternatives:
            assert pick(hall, states, resolved(hall, Wish(**other))) is not None, "offered, and not to be had"
        return
    picked = await scripts.pick(event, "v", table, wish)
    assert isinstance(picked, list)
    seats = tuple(picked)
    assert {way.seats: way.rank for way in ways(hall, states, resolved(hall, wish))}[seats] == expected.rank


def test_the_script_picks_as_the_rule_says(world: World) -> None:
    """Any plan, any board, any wish: the same rank, the same refusal, and alternatives that can be had."""

    @examples(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(plans(), wishes(), st.randoms(use_true_random=False), SOLD, st.integers(0, 2))
    def check(plan: SeatPlan, wish: Wish, chance: random.Random, sold: float, companions: int) -> None:
        states = bytes(chance.choice([1, 2, 3]) if chance.random() < sold else 0 for _ in plan.seats)
        world.run(_compare(world.runtime, EVENT, plan, states, wish, companions))

    world.do(check)


async def _compare_groups(runtime: Runtime, plan: SeatPlan, states: bytes, wish: Wish) -> None:
    """Each group is the best there is beside those before it; the board is as it was."""
    hall = hall_of(plan, None)
    if wish.zone not in (None, *hall.zones) or wish.groups > wish.count:
        return
    event = replace(EVENT, slug=f"b-{secrets.token_hex(6)}", seat_count=len(plan.seats))
    await _lay_out(runtime, event.slug, states)
    scripts, asked = seat_scripts(runtime.settings, runtime.run), resolved(hall, wish)
    refused = None
    try:
        picked = await scripts.pick(event, "v", SeatTable(hall, packed(hall)), wish)
    except NotTogether as refusal:
        picked, refused = [], refusal.largest
    if refused is None:
        assert isinstance(picked, list)
        assert any(_one_after_the_other(hall, states, asked, picked, order) for order in (1, -1)), picked
    else:
        assert refused == min(largest(hall, states, asked), wish.count - 1)
    assert await runtime.redis.get(keys.board(event.slug)) == states


def _one_after_the_other(hall: Hall, states: bytes, wish: Wish, picked: list[int], order: int) -> bool:
    left, board = list(picked), bytearray(states)
    for size in wish.sizes[::order]:
        one = replace(wish, count=size, groups=1)
        seats = tuple(left[:size])
        ranks = {way.seats: way.rank for way in ways(hall, bytes(board), one)}
        if seats not in ranks or ranks[seats] != min(ranks.values()):
            return False
        for seat in seats:
            board[seat] = SeatState.HELD
        del left[:size]
    return not left


def test_the_script_puts_each_group_where_the_rule_says(world: World) -> None:
    @examples(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(plans(), wishes(), st.integers(2, 4), st.randoms(use_true_random=False), SOLD)
    def check(plan: SeatPlan, wish: Wish, groups: int, chance: random.Random, sold: float) -> None:
        states = bytes(chance.choice([1, 2, 3]) if chance.random() < sold else 0 for _ in plan.seats)
        world.run(_compare_groups(world.runtime, plan, states, replace(wish, groups=groups)))

    world.do(check)


async def test_best_seats_are_held_like_others(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(seats=20)  # two rows of ten
    await enter(runtime, event, "a")
    basket = await runtime.seats.best(event, "a", Wish(2))
    assert basket.seats == (4, 5)
    assert basket == await runtime.seats.basket(event, "a")
    more = await runtime.seats.best(event, "a", Wish(2))
    assert (more.seats, more.until) == ((4, 5, 14, 15), basket.until)
    board = await runtime.seats.board(event)
    assert [seat for seat, state in enumerate(board.states) if state == SeatState.HELD] == sorted(more.seats)
    assert (await runtime.seats.begin_payment(event, "a")).seats == more.seats
    with pytest.raises(PaymentInProgress):
        await runtime.seats.best(event, "a", Wish(1))


async def test_refusals_change_nothing(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(seats=20, max_seats=12)
    await enter(runtime, event, "a")
    with pytest.raises(NotActive):
        await runtime.seats.best(event, "stranger", Wish(2))
    with pytest.raises(TooManySeats):
        await runtime.seats.best(event, "a", Wish(13))
    with pytest.raises(InvalidRequest):
        await runtime.seats.best(event, "a", Wish(2, category="None"))
    await runtime.seats.hold(event, "a", [4])
    with pytest.raises(NotTogether) as refusal:
        await runtime.seats.best(event, "a", Wish(11))
    assert (refusal.value.largest, refusal.value.alternatives) == (10, [{"count": 10}])
    basket = await runtime.seats.basket(event, "a")
    assert basket is not None
    assert basket.seats == (4,)


async def test_groups_apart_are_held_at_once_or_not_at_all(runtime: Runtime, make_event: MakeEvent) -> None:
    """One step for all of them: nobody is left with half of what was asked for."""
    event = await make_event(seats=20, max_seats=12)  # two rows of ten
    await enter(runtime, event, "a", "b")
    basket = await runtime.seats.best(event, "a", Wish(12, groups=2))
    assert len(basket.seats) == 12
    assert sorted(seat // 10 for seat in basket.seats) == [0] * 6 + [1] * 6
    before = (await runtime.seats.board(event)).states
    assert list(before).count(SeatState.HELD) == 12
    with pytest.raises(NotTogether) as refusal:
        await runtime.seats.best(event, "b", Wish(9, groups=3))  # there are four and four, or two of them twice
    assert refusal.value.largest == 4
    assert all(other.get("groups", 1) == 1 for other in refusal.value.alternatives)
    assert await runtime.seats.basket(event, "b") is None
    assert (await runtime.seats.board(event)).states == before
    assert len((await runtime.seats.best(event, "b", Wish(8, groups=2))).seats) == 8
    with pytest.raises(InvalidRequest):
        await runtime.seats.best(event, "b", Wish(1, groups=2))


async def test_one_wish_does_not_keep_redis_to_itself(runtime: Runtime, make_event: MakeEvent) -> None:
    """F8, E1: each group is a search; after so many of them nothing more is looked for, and nothing is held."""
    event = await make_event(seats=100, max_seats=60)
    await enter(runtime, event, "a")
    before = (await runtime.seats.board(event)).states
    with pytest.raises(NotTogether) as refusal:
        await runtime.seats.best(event, "a", Wish(50, groups=50))
    assert refusal.value.largest == 0
    assert (await runtime.seats.board(event)).states == before
    assert len((await runtime.seats.best(event, "a", Wish(50, groups=MOST_GROUPS))).seats) == 50


async def test_large_groups_do_not_take_the_room_of_several_small_ones(runtime: Runtime, make_event: MakeEvent) -> None:
    """Three, two, two and two in rows of six and of three: the three are nearest in the six, and in the way there."""
    event = await make_event(plan=small_plan(9, row=6), max_seats=9)
    await enter(runtime, event, "a")
    assert sorted((await runtime.seats.best(event, "a", Wish(9, groups=4))).seats) == list(range(9))


async def test_five_hundred_at_once(runtime: Runtime, make_event: MakeEvent) -> None:
    """500 pairs in a hall of 1,000: everybody sits, nobody is refused, and no single seat is ever left over."""
    event = await make_event(seats=1_000, active_limit=500)
    visitors = [f"v{n}" for n in range(500)]
    await asyncio.gather(*(runtime.waiting_room.join(event, visitor) for visitor in visitors))
    hall = (await runtime.halls.table(event)).hall
    done = 0

    async def take(visitor: str) -> tuple[int, ...]:
        nonlocal done
        basket = await runtime.seats.best(event, visitor, Wish(2))
        done += 1
        if done % 50 == 0:
            assert not single_seats(hall, (await runtime.seats.board(event)).states)
        return basket.seats

    taken = await asyncio.gather(*map(take, visitors))
    assert sorted(seat for seats in taken for seat in seats) == list(range(1_000))
    with pytest.raises((NotTogether, NotActive)):
        await runtime.seats.best(event, "late", Wish(2))


@pytest.mark.parametrize("guard", ["lock", "optimistic"])
async def test_the_other_guards_give_them_as_well(
    guard: str, settings: Settings, stores: Engines, make_event: MakeEvent
) -> None:
    event = await make_event(seats=40, active_limit=20)
    async with open_runtime(settings.model_copy(update={"seat_guard": guard}), stores) as runtime:
        visitors = [f"v{n}" for n in range(10)]
        await enter(runtime, event, *visitors)
        taken = await asyncio.gather(*(runtime.seats.best(event, v, Wish(2)) for v in visitors), return_exceptions=True)
        got = [seat for basket in taken if not isinstance(basket, BaseException) for seat in basket.seats]
        assert len(got) == len(set(got)) >= 2
        assert all(isinstance(refusal, SeatTaken) for refusal in taken if isinstance(refusal, BaseException))


async def test_a_table_that_redis_lost_or_that_is_old_is_written_again(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(seats=20)
    await enter(runtime, event, "a", "b")
    await runtime.seats.best(event, "a", Wish(2))
    assert 0 < await runtime.redis.pttl(keys.seat_table(event.slug)) <= 24 * 3600 * 1000
    await runtime.redis.delete(keys.seat_table(event.slug))
    moved = replace(event, focus=(0.0, 1_000.0))
    assert (await runtime.seats.best(moved, "b", Wish(2))).seats == (10, 11)


async def test_a_seat_that_is_held_though_the_board_offers_it_is_passed_over(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event(seats=20)
    await enter(runtime, event, "a")
    await runtime.seats.ensure_board(event)
    await runtime.redis.set(keys.seat_state(event.slug, 4), "ghost|1|held", px=60_000)
    basket = await runtime.seats.best(event, "a", Wish(2))
    assert 4 not in basket.seats
    assert (await runtime.seats.board(event)).states[4] == SeatState.HELD


# Picked by hand


async def test_a_single_seat_may_not_be_left_over_where_the_event_forbids_it(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    allowed = await make_event(seats=20)
    event = replace(allowed, orphans=Orphans.FORBID)
    await enter(runtime, event, "a", "b")
    with pytest.raises(LeavesSingleSeat) as refusal:
        await runtime.seats.hold(event, "a", [1])
    assert refusal.value.seats == [0]
    with pytest.raises(LeavesSingleSeat) as refusal:
        await runtime.seats.hold(event, "a", [3, 5])
    assert refusal.value.seats == [4]
    assert await runtime.seats.basket(event, "a") is None
    await runtime.seats.hold(event, "a", [2, 3])  # two are left on one side
    with pytest.raises(LeavesSingleSeat) as refusal:
        await runtime.seats.hold(event, "a", [8])
    assert refusal.value.seats == [9]
    await runtime.seats.hold(event, "a", [1])  # of two one is left over, whichever is taken
    await runtime.seats.hold(event, "b", [4, 5, 6, 7])
    await runtime.seats.release(event, "b")
    await runtime.seats.hold(allowed, "b", [5])


async def test_of_what_is_longer_by_one_any_may_be_taken(runtime: Runtime, make_event: MakeEvent) -> None:
    """The row leaves no other way: whatever two of three are taken, one is left over."""
    event = replace(await make_event(seats=3), orphans=Orphans.FORBID)
    await enter(runtime, event, "a", "b")
    await runtime.seats.hold(event, "a", [0, 2])
    await runtime.seats.release(event, "a")
    await runtime.seats.hold(event, "b", [0, 1])


@pytest.fixture
async def forbidding(settings: Settings, stores: Engines) -> AsyncIterator[Runtime]:
    async with open_runtime(settings.model_copy(update={"seat_guard": "lock"}), stores) as opened:
        yield opened


async def test_every_guard_forbids_it(forbidding: Runtime, make_event: MakeEvent) -> None:
    event = replace(await make_event(seats=20), orphans=Orphans.FORBID)
    await enter(forbidding, event, "a")
    with pytest.raises(LeavesSingleSeat):
        await forbidding.seats.hold(event, "a", [1])


# Companions


def _with_a_wheelchair_place() -> bytes:
    """One row of ten; the fifth seat is a wheelchair place."""
    plan = json.loads(small_plan(10))
    plan["categories"].append({"name": "Wheelchair", "color": "#000"})
    plan["zones"][0]["rows"][0]["seats"][4]["category"] = "Wheelchair"
    return json.dumps(plan).encode()


def _sale(companions: int, orphans: Orphans = Orphans.ALLOW) -> NewEvent:
    prices = {"Standard": 15000, "Wheelchair": 9000}
    slug = f"w-{secrets.token_hex(5)}"
    return NewEvent(
        slug, "Together", prices, status=SaleStatus.OPEN, companions=companions, orphans=orphans, max_seats=6
    )


async def test_companions_sit_beside_a_wheelchair_place(runtime: Runtime) -> None:
    """With it, and for nobody else; kept with the event, and changed with it."""
    event = await runtime.events.create(_sale(2), _with_a_wheelchair_place())
    assert (event.companions, (await runtime.events.fresh(event.slug)).companions) == (2, 2)
    await enter(runtime, event, "a", "b", "c")
    with pytest.raises(NotTogether) as refusal:
        await runtime.seats.best(event, "a", Wish(5))
    assert refusal.value.largest == 4, "the seats on both sides are for who comes with a wheelchair"
    assert (await runtime.seats.best(event, "b", Wish(3, accessible=True))).seats == (3, 4, 5)
    with pytest.raises(NotTogether) as refusal:
        await runtime.seats.best(event, "c", Wish(1, accessible=True))
    assert (refusal.value.largest, refusal.value.alternatives) == (0, [])
    await runtime.seats.release(event, "b")
    event = await runtime.events.update(event.slug, companions=0)
    assert (await runtime.seats.best(event, "b", Wish(1, accessible=True))).seats == (4,)
    assert (await runtime.seats.best(event, "c", Wish(5))).seats == (5, 6, 7, 8, 9)
    with pytest.raises(InvalidRequest):
        await runtime.events.update(event.slug, companions=4)


async def test_who_comes_alone_may_leave_the_companions_seats_over(runtime: Runtime) -> None:
    """There is no other way to take the wheelchair place."""
    event = await runtime.events.create(_sale(2, Orphans.FORBID), _with_a_wheelchair_place())
    await enter(runtime, event, "a")
    assert (await runtime.seats.hold(event, "a", [4])).seats == (4,)
    with pytest.raises(LeavesSingleSeat):
        await runtime.seats.hold(event, "a", [8])
