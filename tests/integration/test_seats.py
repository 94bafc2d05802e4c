"""Holds on a real Redis: S3, S4, S13; rules 4 and 6."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from core import keys
from core.database import raw
from core.errors import (
    HoldExpired,
    HoldNotExtendable,
    NoSeatsHeld,
    NoSuchSeat,
    NotActive,
    PaymentInProgress,
    SeatTaken,
    TooManySeats,
)
from core.runtime import Runtime, open_runtime
from core.seats.board import Board, SeatState
from core.seats.hold_scripts_redis import HOLD_KEPT_MS
from core.venue.event import Event
from tests.conftest import MakeEvent
from tests.queueing import enter
from tests.sale_keys import sale_keys
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture(params=["atomic", "lock", "optimistic"])
async def guarded(request: pytest.FixtureRequest, settings: Any, stores: Any) -> Any:
    """A runtime for each of the three guards (S4)."""
    async with open_runtime(settings.model_copy(update={"seat_guard": request.param}), stores) as opened:
        yield opened


async def test_a_hold_is_all_or_nothing(guarded: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    await enter(guarded, event, "a", "b")
    basket = await guarded.seats.hold(event, "a", [3, 4])
    assert basket.seats == (3, 4)
    with pytest.raises(SeatTaken) as refusal:
        await guarded.seats.hold(event, "b", [5, 4])
    assert 4 in refusal.value.seats
    board = await guarded.seats.board(event)
    assert [i for i, state in enumerate(board.states) if state] == [3, 4]
    assert await guarded.seats.basket(event, "b") is None
    other = await guarded.seats.hold(event, "b", [5])
    assert other.fence > basket.fence


async def test_a_hold_has_a_ttl_of_the_hold_time(guarded: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(hold_seconds=300)
    await enter(guarded, event, "a")
    await guarded.seats.hold(event, "a", [0])
    # The key outlives the deadline by the longest that the sale's clock may stand (R4).
    assert 290_000 < await guarded.redis.pttl(keys.seat_state(event.slug, 0)) - HOLD_KEPT_MS <= 300_000
    assert await guarded.redis.ttl(keys.seat_state(event.slug, 1)) == -2


async def test_a_second_hold_adds_and_keeps_the_deadline(guarded: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    await enter(guarded, event, "a")
    first = await guarded.seats.hold(event, "a", [0])
    second = await guarded.seats.hold(event, "a", [1, 0])
    assert second.seats == (0, 1)
    assert second.until == first.until
    assert second.fence > first.fence
    owner = await guarded.redis.get(keys.seat_state(event.slug, 0))
    assert owner == f"a|{second.fence}|held".encode()


async def test_who_is_not_active_holds_nothing(guarded: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(active_limit=1)
    await enter(guarded, event, "a", "waiting")
    for visitor in ("waiting", "stranger"):
        with pytest.raises(NotActive):
            await guarded.seats.hold(event, visitor, [0])
    assert not any((await guarded.seats.board(event)).states)


async def test_limits_and_unknown_seats_change_nothing(guarded: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(max_seats=2)
    await enter(guarded, event, "a")
    await guarded.seats.hold(event, "a", [0])
    with pytest.raises(TooManySeats):
        await guarded.seats.hold(event, "a", [1, 2])
    for wrong in ([20], [-1], [1, 20], []):
        with pytest.raises(NoSuchSeat):
            await guarded.seats.hold(event, "a", wrong)
    basket = await guarded.seats.basket(event, "a")
    assert basket is not None
    assert basket.seats == (0,)
    assert sum((await guarded.seats.board(event)).states) == SeatState.HELD


async def test_a_blocked_or_sold_seat_cannot_be_held(guarded: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    await enter(guarded, event, "a")
    assert await guarded.seats.block(event, [7, 8], True) == [7, 8]
    with pytest.raises(SeatTaken):
        await guarded.seats.hold(event, "a", [7])
    assert await guarded.seats.block(event, [7], False) == [7]
    await guarded.seats.hold(event, "a", [7])
    assert (await guarded.seats.board(event)).states[7:9] == bytes([SeatState.HELD, SeatState.BLOCKED])


async def test_release_gives_back_only_ones_own(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    await enter(runtime, event, "a", "b")
    await runtime.seats.hold(event, "a", [0, 1])
    await runtime.seats.hold(event, "b", [2])
    left = await runtime.seats.release(event, "a", [1, 2])
    assert left is not None
    assert left.seats == (0,)
    assert (await runtime.seats.board(event)).states[:3] == bytes([1, 0, 1])
    assert await runtime.seats.release(event, "a") is None
    assert await runtime.seats.release(event, "a") is None
    assert await runtime.redis.exists(keys.seat_state(event.slug, 0)) == 0


async def test_a_basket_is_extended_once_and_never_past_the_session(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(hold_seconds=200)
    await enter(runtime, event, "a")
    with pytest.raises(NoSeatsHeld):
        await runtime.seats.extend(event, "a")
    before = await runtime.seats.hold(event, "a", [0])
    after = await runtime.seats.extend(event, "a")
    assert 199 < (after.until - before.until).total_seconds() <= 200
    assert await runtime.redis.pttl(keys.seat_state(event.slug, 0)) - HOLD_KEPT_MS > 390_000
    with pytest.raises(HoldNotExtendable):
        await runtime.seats.extend(event, "a")
    place = await runtime.waiting_room.place(event, "a")
    longer = await make_event(hold_seconds=500)
    await enter(runtime, longer, "a")
    await runtime.seats.hold(longer, "a", [0])
    capped = await runtime.seats.extend(longer, "a")
    place = await runtime.waiting_room.place(longer, "a")
    assert place is not None
    assert place.until == capped.until


async def test_a_basket_lapses_and_the_buyer_is_told_why(settings: Any, stores: Any, make_event: MakeEvent) -> None:
    event = await make_event(hold_seconds=1)
    async with open_runtime(settings, stores) as runtime:
        await enter(runtime, event, "a")
        await runtime.seats.hold(event, "a", [0])
        messages = await _listen(runtime, event)
        async with asyncio.timeout(PATIENCE):
            while (await runtime.waiting_room.sweep(event)).lapsed == 0:
                await asyncio.sleep(0.05)
        assert (await runtime.seats.board(event)).states[0] == SeatState.AVAILABLE
        with pytest.raises(HoldExpired):
            await runtime.seats.begin_payment(event, "a")
        assert any("a" in message.get("lapsed", []) for message in await messages())
        assert (await runtime.seats.hold(event, "a", [0])).seats == (0,)


async def _all_is_long_over(runtime: Runtime, event: Event) -> None:
    """Everybody's session and holds have ended, and nobody was heard of since."""
    slug, calls = event.slug, cast(Any, runtime.redis)
    for name in (keys.active_users(slug), keys.active_until(slug), keys.basket_deadlines(slug), keys.holds(slug)):
        for member in await calls.zrange(name, 0, -1):
            await calls.zadd(name, {member: 1_000.0})


async def test_paying_seats_outlive_hold_and_visitor(runtime: Runtime, make_event: MakeEvent) -> None:
    """Rule 5: a visitor whose payment is under way is never cut off."""
    event = await make_event()
    await enter(runtime, event, "payer", "idler")
    await runtime.seats.hold(event, "payer", [0])
    await runtime.seats.hold(event, "idler", [1])
    basket = await runtime.seats.begin_payment(event, "payer")
    assert basket.paying
    with pytest.raises(PaymentInProgress):
        await runtime.seats.hold(event, "payer", [2])
    with pytest.raises(PaymentInProgress):
        await runtime.seats.release(event, "payer")
    await runtime.waiting_room.sweep(event)
    for _ in range(2):
        await _all_is_long_over(runtime, event)
        await runtime.waiting_room.sweep(event)
    assert await runtime.waiting_room.place(event, "idler") is None
    assert await runtime.waiting_room.place(event, "payer") is not None
    assert (await runtime.seats.board(event)).states[:2] == bytes([1, 0])
    await runtime.seats.settle(event, "payer", basket.fence, basket.seats, SeatState.SOLD)
    assert (await runtime.seats.board(event)).states[:2] == bytes([2, 0])
    await runtime.waiting_room.sweep(event)
    assert await runtime.waiting_room.place(event, "payer") is None


async def test_a_payment_that_did_not_begin_gives_the_hold_back(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    await enter(runtime, event, "a")
    held = await runtime.seats.hold(event, "a", [0, 1])
    paying = await runtime.seats.begin_payment(event, "a")
    with pytest.raises(PaymentInProgress):
        await runtime.seats.begin_payment(event, "a")
    await runtime.seats.abort_payment(event, "a", paying.fence, paying.seats)
    await runtime.seats.abort_payment(event, "a", paying.fence, paying.seats)
    again = await runtime.seats.basket(event, "a")
    assert again == held
    assert 0 < await runtime.redis.pttl(keys.seat_state(event.slug, 0)) - HOLD_KEPT_MS <= 300_000


async def test_settling_twice_or_late_never_opens_a_sold_seat(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    await enter(runtime, event, "a", "b")
    await runtime.seats.hold(event, "a", [0])
    first = await runtime.seats.begin_payment(event, "a")
    await runtime.seats.settle(event, "a", first.fence, [0], SeatState.AVAILABLE)
    await runtime.seats.hold(event, "b", [0])
    await runtime.seats.settle(event, "a", first.fence, [0], SeatState.AVAILABLE)
    assert (await runtime.seats.board(event)).states[0] == SeatState.HELD
    second = await runtime.seats.begin_payment(event, "b")
    await runtime.seats.settle(event, "b", second.fence, [0], SeatState.SOLD)
    await runtime.seats.settle(event, "a", first.fence, [0], SeatState.AVAILABLE)
    assert (await runtime.seats.board(event)).states[0] == SeatState.SOLD
    await runtime.seats.reopen(event, [0])
    assert (await runtime.seats.board(event)).states[0] == SeatState.AVAILABLE


async def test_a_board_is_rebuilt_while_an_operator_changes_the_event(runtime: Runtime, make_event: MakeEvent) -> None:
    """R1: PostgreSQL ends one of two transactions that change one row; the rebuild is the one that tries again."""
    event = await make_event()
    await runtime.seats.ensure_board(event)
    await runtime.redis.delete(keys.board(event.slug), keys.board_version(event.slug))
    async with raw(runtime.database) as operator:
        change = operator.transaction()
        await change.start()
        await operator.execute("UPDATE events SET active_limit = 7 WHERE id = $1", event.id)
        rebuilding = asyncio.create_task(runtime.seats.board(event))
        async with asyncio.timeout(PATIENCE):  # until it waits for the row
            while not await operator.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        await change.commit()
        board = await rebuilding
    assert board.epoch == 2
    assert (await runtime.events.fresh(event.slug)).active_limit == 7


async def test_a_lost_board_is_rebuilt_from_postgresql(runtime: Runtime, make_event: MakeEvent) -> None:
    """S13: Redis may be lost at any time; what PostgreSQL has sold stays sold, and fences go on growing."""
    event = await make_event()
    await enter(runtime, event, "a")
    fence = (await runtime.seats.hold(event, "a", [5])).fence
    before = await runtime.seats.board(event)
    await runtime.database.execute(
        "UPDATE seats SET status = 'SOLD', fence = :fence WHERE event_id = :id AND ordinal = 2",
        {"id": event.id, "fence": fence + 10**9},
    )
    await runtime.redis.delete(*sale_keys(event.slug))
    boards = await asyncio.gather(*(runtime.seats.board(event) for _ in range(20)))
    assert {board.epoch for board in boards} == {before.epoch + 1}
    assert boards[0].states[2] == SeatState.SOLD
    await enter(runtime, event, "a")
    assert (await runtime.seats.hold(event, "a", [6])).fence > fence + 10**9


async def test_every_change_is_published_with_its_version(runtime: Runtime, make_event: MakeEvent) -> None:
    """D5, rule 6: the published changes replay to the board."""
    event = await make_event()
    await enter(runtime, event, "a", "b")
    copy = Board(await runtime.seats.board(event))
    pubsub = runtime.redis.pubsub()
    await pubsub.subscribe(keys.seats_channel(event.slug))
    await runtime.seats.hold(event, "a", [0, 1, 2])
    await runtime.seats.hold(event, "b", [9])
    await runtime.seats.release(event, "a", [1])
    basket = await runtime.seats.begin_payment(event, "a")
    await runtime.seats.settle(event, "a", basket.fence, basket.seats, SeatState.SOLD)
    await runtime.waiting_room.leave(event, "b")
    want = await runtime.seats.board(event)
    async with asyncio.timeout(PATIENCE):
        while copy.version < want.version:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
            if message:
                body = json.loads(message["data"])
                assert copy.apply(body["epoch"], body["version"], body["changes"])
    assert copy.snapshot() == want
    await pubsub.aclose()


async def _listen(runtime: Runtime, event: Event) -> Callable[[], Any]:
    pubsub = runtime.redis.pubsub()
    await pubsub.subscribe(keys.queue_channel(event.slug))

    async def drain() -> list[dict[str, Any]]:
        """What was published until now, however late it comes."""
        found: list[dict[str, Any]] = []
        await runtime.redis.publish(keys.queue_channel(event.slug), '{"until": "here"}')
        async with asyncio.timeout(PATIENCE):
            while {"until": "here"} not in found:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
                if message:
                    found.append(json.loads(message["data"]))
        await pubsub.aclose()
        return found[:-1]

    return drain


async def test_who_has_bought_makes_room_soon(runtime: Runtime, make_event: MakeEvent) -> None:
    """S8: the session ends two minutes after a purchase, and the browser hears of it; other ends change nothing."""
    event = await make_event()
    await enter(runtime, event, "a")
    before = await runtime.waiting_room.place(event, "a")
    assert before is not None
    assert before.until is not None
    await runtime.seats.hold(event, "a", [0])
    declined = await runtime.seats.begin_payment(event, "a")
    await runtime.seats.settle(event, "a", declined.fence, [0], SeatState.AVAILABLE)
    assert (await runtime.waiting_room.place(event, "a")).until == before.until  # type: ignore[union-attr]
    messages = await _listen(runtime, event)
    await runtime.seats.hold(event, "a", [0])
    paid = await runtime.seats.begin_payment(event, "a")
    await runtime.seats.settle(event, "a", paid.fence, [0], SeatState.SOLD)
    after = await runtime.waiting_room.place(event, "a")
    assert after is not None
    assert after.until is not None
    assert 400 < (before.until - after.until).total_seconds() < 490
    told = [entry for message in await messages() for entry in message.get("admitted", [])]
    assert [(visitor, number) for visitor, number, _ in told] == [("a", before.number)]
