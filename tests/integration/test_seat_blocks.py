"""R11: a seat that PostgreSQL blocks leaves every basket at once, whatever it was, and never comes back on sale."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core import keys
from core.errors import NoSeatsHeld, SeatTaken, StoreUnavailable
from core.runtime import Runtime, open_runtime
from core.seats.basket import Basket
from core.seats.board import SeatState
from core.seats.composition import seat_scripts
from core.seats.scripts_redis import SeatScripts
from core.upkeep.mismatch import Kind
from core.venue.event import Event
from tests.booking import Bank, desk, rows
from tests.conftest import MakeEvent
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient")


async def _statuses(runtime: Runtime, event: Event) -> list[str]:
    return [
        row["status"]
        for row in await rows(runtime, "SELECT status FROM seats WHERE event_id = $1 ORDER BY ordinal", event.id)
    ]


async def _hold(runtime: Runtime, event: Event, visitor: str, *ordinals: int) -> None:
    await runtime.waiting_room.join(event, visitor)
    await runtime.seats.hold(event, visitor, ordinals)


async def _shown(runtime: Runtime, event: Event, ordinal: int) -> int:
    return (await runtime.seats.board(event)).states[ordinal]


async def test_a_held_seat_leaves_the_basket_and_its_owner_is_told(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    await _hold(runtime, event, "a", 3, 4)
    told: dict[str | None, list[list[int]]] = {}
    async with runtime.redis.pubsub() as pubsub, asyncio.timeout(PATIENCE):
        await pubsub.subscribe(keys.seats_channel(event.slug))
        assert await runtime.seats.block(event, [4, 5], True) == [4, 5]
        while len(told) < 2:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
            if message:
                body = json.loads(message["data"])
                told[body.get("by")] = body["changes"]
    assert told == {"a": [[4, SeatState.BLOCKED]], None: [[5, SeatState.BLOCKED]]}
    basket = await runtime.seats.basket(event, "a")
    assert basket is not None
    assert basket.seats == (3,)
    assert await runtime.redis.zrange(keys.holds(event.slug), 0, -1) == [b"3"]
    assert await runtime.redis.exists(keys.seat_state(event.slug, 4)) == 0


async def test_the_end_of_the_hold_does_not_bring_it_back(settings: Any, stores: Any, make_event: MakeEvent) -> None:
    event = await make_event(hold_seconds=1)
    async with open_runtime(settings, stores) as runtime:
        await _hold(runtime, event, "a", 3, 4)
        await runtime.seats.block(event, [3], True)
        async with asyncio.timeout(PATIENCE):
            while (await runtime.waiting_room.sweep(event)).lapsed == 0:
                await asyncio.sleep(0.05)
        assert (await runtime.seats.board(event)).states[3:5] == bytes([SeatState.BLOCKED, SeatState.AVAILABLE])
        await runtime.waiting_room.join(event, "b")
        with pytest.raises(SeatTaken):
            await runtime.seats.hold(event, "b", [3])


async def test_letting_it_go_does_not_bring_it_back(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    await _hold(runtime, event, "a", 3, 4)
    await runtime.seats.block(event, [3], True)
    assert await runtime.seats.release(event, "a") is None
    assert (await runtime.seats.board(event)).states[3:5] == bytes([SeatState.BLOCKED, SeatState.AVAILABLE])


async def test_nothing_stays_paying_when_it_meets_a_checkout(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocked between the checkout's two steps: refused, and Redis keeps no payment that does not exist."""
    event = await make_event()
    at = desk(runtime, Bank())
    await at.basket(event, "a", 3, 4)
    begin = runtime.seats.begin_payment

    async def then_blocked(*arguments: Any) -> Basket:
        basket = await begin(*arguments)
        await runtime.seats.block(event, [4], True)
        return basket

    monkeypatch.setattr(runtime.seats, "begin_payment", then_blocked)
    with pytest.raises(SeatTaken) as refusal:
        await at.submit(event, "a")
    assert refusal.value.seats == [4]
    assert await runtime.seats.basket(event, "a") is None
    assert await runtime.redis.exists(*(keys.seat_state(event.slug, n) for n in (3, 4))) == 0
    assert await runtime.redis.zcard(keys.active_paying(event.slug)) == 0
    assert (await runtime.seats.board(event)).states[3:5] == bytes([SeatState.AVAILABLE, SeatState.BLOCKED])
    assert (await runtime.reconcile.run(event, dry_run=True)).found == []


async def test_a_basket_that_was_settled_in_part_leaves_no_state_behind(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """The row was blocked by hand, so Redis heard nothing: the checkout's refusal names the free seats only."""
    event = await make_event()
    await _hold(runtime, event, "a", 3, 4)
    basket = await runtime.seats.begin_payment(event, "a")
    await rows(runtime, "UPDATE seats SET status = 'BLOCKED' WHERE event_id = $1 AND ordinal = 4", event.id)
    await runtime.seats.settle(event, "a", basket.fence, [3], SeatState.AVAILABLE)
    assert await runtime.redis.exists(*(keys.seat_state(event.slug, n) for n in (3, 4))) == 0
    assert await _shown(runtime, event, 4) != SeatState.AVAILABLE
    report = await runtime.reconcile.run(event)
    assert [(m.ordinal, m.kind) for m in report.found] == [(4, Kind.BLOCKED_NOT_SHOWN)]
    assert await _shown(runtime, event, 4) == SeatState.BLOCKED


async def _held(runtime: Runtime, event: Event) -> None:
    await _hold(runtime, event, "a", 3)


async def _paying(runtime: Runtime, event: Event) -> None:
    await _hold(runtime, event, "a", 3)
    await runtime.seats.begin_payment(event, "a")


@pytest.mark.parametrize("before", [_held, _paying], ids=["held", "paying"])
async def test_a_row_that_was_blocked_by_hand_is_mended_under_a_hold(
    before: Callable[[Runtime, Event], Awaitable[None]], runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event()
    await before(runtime, event)
    await rows(
        runtime, "UPDATE seats SET status = 'BLOCKED', updated_at = now() WHERE event_id = $1 AND ordinal = 3", event.id
    )
    report = await runtime.reconcile.run(event)
    assert [(m.ordinal, m.kind) for m in report.found] == [(3, Kind.BLOCKED_NOT_SHOWN)]
    assert report.mended == 1
    assert await runtime.seats.basket(event, "a") is None
    assert await runtime.redis.zcard(keys.active_paying(event.slug)) == 0
    with pytest.raises(NoSeatsHeld):
        await runtime.seats.begin_payment(event, "a")
    assert await _shown(runtime, event, 3) == SeatState.BLOCKED


async def test_a_payer_whom_redis_names_wrongly_is_found(runtime: Runtime, make_event: MakeEvent) -> None:
    """The row is being paid for by one visitor, and Redis says another: the other's end would free it."""
    event = await make_event()
    bank = Bank(gate=asyncio.Event())
    at = desk(runtime, bank)
    reservation = await at.buy(event, "payer", 3)
    fence = reservation.fence
    await runtime.redis.set(keys.seat_state(event.slug, 3), f"other|{fence + 1}|paying", px=60_000)
    assert (await runtime.reconcile.run(event)).mended == 1
    assert await runtime.redis.get(keys.seat_state(event.slug, 3)) == f"payer|{fence}|paying".encode()
    assert bank.gate is not None
    bank.gate.set()
    assert (await at.ended(reservation)).status == "CONFIRMED"
    await at.supervisor.drain(10)


async def test_a_payment_that_redis_forgot_keeps_its_payer_in(runtime: Runtime, make_event: MakeEvent) -> None:
    """Rule 5: mending the seats gives the basket back as well, which is what protects the payer."""
    event = await make_event()
    bank = Bank(gate=asyncio.Event())
    at = desk(runtime, bank)
    reservation = await at.buy(event, "payer", 3, 4)
    redis, slug = runtime.redis, event.slug
    await redis.delete(*(keys.seat_state(slug, n) for n in (3, 4)), keys.baskets(slug), keys.active_paying(slug))
    assert (await runtime.reconcile.run(event)).mended == 2
    basket = await runtime.seats.basket(event, "payer")
    assert basket is not None
    assert (basket.seats, basket.fence, basket.paying) == ((3, 4), reservation.fence, True)
    assert await redis.zscore(keys.active_paying(slug), "payer") is not None
    assert bank.gate is not None
    bank.gate.set()
    await at.ended(reservation)
    await at.supervisor.drain(10)
    assert await runtime.seats.basket(event, "payer") is None


async def test_a_cancelled_seat_that_is_blocked_before_it_is_shown_free(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event()
    await _hold(runtime, event, "a", 3)
    basket = await runtime.seats.begin_payment(event, "a")
    await runtime.seats.settle(event, "a", basket.fence, [3], SeatState.SOLD)
    # PostgreSQL cancelled it, an operator blocked it, and only then Redis hears of the cancellation.
    await runtime.seats.block(event, [3], True)
    await runtime.seats.settle(event, "a", basket.fence, [3], SeatState.AVAILABLE)
    await runtime.seats.reopen(event, [3])
    assert await _shown(runtime, event, 3) == SeatState.BLOCKED


async def test_the_other_guards_do_not_overwrite_it(runtime: Runtime, make_event: MakeEvent) -> None:
    """A guard that checked before the seat was blocked, and sets after it (S4)."""
    event = await make_event()
    await runtime.waiting_room.join(event, "a")
    await runtime.seats.block(event, [3], True)
    with pytest.raises(SeatTaken):
        await seat_scripts(runtime.settings, runtime.run).hold(event, "a", [3], check=False)
    assert await _shown(runtime, event, 3) == SeatState.BLOCKED


async def test_a_board_that_is_built_anew_takes_it_out_of_the_basket(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    await _hold(runtime, event, "a", 3, 4)
    await runtime.redis.delete(keys.board(event.slug))
    await rows(runtime, "UPDATE seats SET status = 'BLOCKED' WHERE event_id = $1 AND ordinal = 4", event.id)
    await runtime.seats.ensure_board(event)
    basket = await runtime.seats.basket(event, "a")
    assert basket is not None
    assert basket.seats == (3,)
    assert (await runtime.seats.board(event)).states[3:5] == bytes([SeatState.HELD, SeatState.BLOCKED])


async def test_blocked_and_opened_from_many_sides_board_and_rows_agree(runtime: Runtime, make_event: MakeEvent) -> None:
    """Changes of one row reach the board in the row's order: the last one is what is shown."""
    event = await make_event()
    await runtime.seats.ensure_board(event)
    await asyncio.gather(*(runtime.seats.block(event, [3, 4, 5], bool(n % 2)) for n in range(60)))
    status = await _statuses(runtime, event)
    assert [int(s) for s in (await runtime.seats.board(event)).states] == [
        SeatState.BLOCKED if s == "BLOCKED" else SeatState.AVAILABLE for s in status
    ]


async def test_a_late_opening_does_not_undo_a_newer_block(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The opening's process is slow between row and board; the operator blocks the seat again meanwhile."""
    event = await make_event()
    await runtime.seats.block(event, [3], True)
    ensure, reopen = asyncio.Event(), SeatScripts.reopen

    async def slow(self: SeatScripts, *arguments: Any) -> None:
        ensure.set()
        await asyncio.sleep(0.3)
        await reopen(self, *arguments)

    monkeypatch.setattr(SeatScripts, "reopen", slow)
    opening = asyncio.create_task(runtime.seats.block(event, [3], False))
    await ensure.wait()
    assert await runtime.seats.block(event, [3], True) == [3]
    await opening
    assert await _shown(runtime, event, 3) == SeatState.BLOCKED


async def test_without_redis_nothing_is_blocked(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal means that nothing changed (R5): the row is not blocked while a hold on it lives on in Redis."""
    event = await make_event()
    await runtime.seats.ensure_board(event)

    async def away(*_: Any) -> None:
        raise StoreUnavailable(retry_after=2)

    monkeypatch.setattr(SeatScripts, "block", away)
    with pytest.raises(StoreUnavailable):
        await runtime.seats.block(event, [3], True)
    assert set(await _statuses(runtime, event)) == {"AVAILABLE"}
