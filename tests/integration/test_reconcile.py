"""S13, S14, S15, S32: what Redis says wrongly is found, named and mended; what is under way is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from core import keys
from core.errors import OnsaleError
from core.runtime import Runtime
from core.seats.board import Board, SeatState
from core.upkeep.janitor_redis import delete_locks_without_ttl
from core.upkeep.mismatch import Kind
from core.venue.event import Event
from tests.booking import Bank, check_books, desk, finish_all
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient")


async def _sell(runtime: Runtime, event: Event, ordinal: int, status: str = "SOLD") -> None:
    await runtime.database.execute(
        "UPDATE seats SET status = :status, updated_at = now() WHERE event_id = :id AND ordinal = :ordinal",
        {"id": event.id, "ordinal": ordinal, "status": status},
    )


async def _byte(runtime: Runtime, event: Event, ordinal: int, byte: int) -> None:
    await runtime.redis.setrange(keys.board(event.slug), ordinal, bytes([byte]))


async def _sold(runtime: Runtime, event: Event) -> None:
    await _sell(runtime, event, 3)


async def _blocked(runtime: Runtime, event: Event) -> None:
    await _sell(runtime, event, 3, "BLOCKED")


async def _paying(runtime: Runtime, event: Event) -> None:
    bank = Bank(gate=asyncio.Event())
    shop = desk(runtime, bank)
    await shop.basket(event, "payer", 3)
    await shop.submit(event, "payer")
    for task in shop.supervisor._tasks:
        task.cancel()
    await runtime.redis.delete(keys.seat_state(event.slug, 3))
    await _byte(runtime, event, 3, 0)


async def _shown_sold(runtime: Runtime, event: Event) -> None:
    await _byte(runtime, event, 3, 2)


async def _shown_blocked(runtime: Runtime, event: Event) -> None:
    await _byte(runtime, event, 3, 3)


async def _held_by_nobody(runtime: Runtime, event: Event) -> None:
    await _byte(runtime, event, 3, 1)


async def _hidden(runtime: Runtime, event: Event) -> None:
    await runtime.redis.set(keys.seat_state(event.slug, 3), "ghost|1|held", px=300_000)


async def _without_ttl(runtime: Runtime, event: Event) -> None:
    await runtime.waiting_room.join(event, "a")
    await runtime.seats.hold(event, "a", [3])
    await runtime.redis.persist(keys.seat_state(event.slug, 3))


async def _orphaned_payment(runtime: Runtime, event: Event) -> None:
    await runtime.waiting_room.join(event, "a")
    await runtime.seats.hold(event, "a", [3])
    await runtime.seats.begin_payment(event, "a")
    await runtime.redis.pexpire(keys.seat_state(event.slug, 3), 24 * 3600 * 1000 - 61_000)


FAULTS: list[tuple[Kind, Callable[[Runtime, Event], Awaitable[None]], SeatState]] = [
    (Kind.SOLD_NOT_SHOWN, _sold, SeatState.SOLD),
    (Kind.BLOCKED_NOT_SHOWN, _blocked, SeatState.BLOCKED),
    (Kind.PAYING_NOT_SHOWN, _paying, SeatState.HELD),
    (Kind.SHOWN_SOLD, _shown_sold, SeatState.AVAILABLE),
    (Kind.SHOWN_BLOCKED, _shown_blocked, SeatState.AVAILABLE),
    (Kind.HELD_BY_NOBODY, _held_by_nobody, SeatState.AVAILABLE),
    (Kind.HIDDEN_HOLD, _hidden, SeatState.AVAILABLE),
    (Kind.HOLD_WITHOUT_TTL, _without_ttl, SeatState.AVAILABLE),
    (Kind.PAYMENT_WITHOUT_RESERVATION, _orphaned_payment, SeatState.AVAILABLE),
]


def test_every_kind_has_its_fault() -> None:
    assert {kind for kind, _, _ in FAULTS} == set(Kind)


@pytest.mark.parametrize(("kind", "break_it", "byte"), FAULTS, ids=[kind for kind, _, _ in FAULTS])
async def test_each_mismatch_is_named_mended_and_published(
    kind: Kind,
    break_it: Callable[[Runtime, Event], Awaitable[None]],
    byte: SeatState,
    runtime: Runtime,
    make_event: MakeEvent,
) -> None:
    event = await make_event(seats=250)
    await runtime.seats.ensure_board(event)
    await break_it(runtime, event)
    looked = await runtime.reconcile.run(event, dry_run=True)
    assert [(m.ordinal, m.kind) for m in looked.found] == [(3, kind)]
    assert looked.mended == 0
    assert looked.seats == 250
    assert str(kind) in looked.lines()[0]
    browser = Board(await runtime.seats.board(event))
    report = await runtime.reconcile.run(event)
    assert (len(report.found), report.mended) == (1, 1)
    board = await runtime.seats.board(event)
    assert board.states[3] == byte
    if browser.states[3] != byte:
        assert board.version == browser.version + 1  # a change that browsers hear of
    assert (await runtime.reconcile.run(event)).found == []


async def test_what_may_differ_is_left_alone(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    await runtime.waiting_room.join(event, "a")
    await runtime.waiting_room.join(event, "b")
    held = await runtime.seats.hold(event, "a", [0, 1])
    await runtime.seats.hold(event, "b", [2])
    await runtime.seats.begin_payment(event, "b")
    assert (await runtime.reconcile.run(event)).found == []
    assert await runtime.seats.basket(event, "a") == held


async def test_recent_changes_come_first(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    await runtime.seats.ensure_board(event)
    await _sell(runtime, event, 3)
    await runtime.database.execute(
        "UPDATE seats SET updated_at = now() - interval '1 day' WHERE event_id = :id AND ordinal <> 3", {"id": event.id}
    )
    report = await runtime.reconcile.run(event, changed_within=timedelta(minutes=10))
    assert (report.seats, report.mended) == (1, 1)


async def test_it_does_not_fight_holds_and_payments(runtime: Runtime, make_event: MakeEvent) -> None:
    """The job runs without a pause while visitors hold, let go and pay: it finds nothing that lasts, harms nothing."""
    event = await make_event(seats=20, active_limit=50)
    bank = Bank()
    shop = desk(runtime, bank)
    stop = asyncio.Event()

    async def mend() -> None:
        while not stop.is_set():
            await runtime.reconcile.run(event)

    async def visitor(number: int) -> None:
        name = f"v{number}"
        await runtime.waiting_room.join(event, name)
        for turn in range(6):
            seat = (number + turn * 7) % 20
            try:
                await runtime.seats.hold(event, name, [seat])
                if turn % 2:
                    await runtime.seats.release(event, name)
                else:
                    await shop.ended(await shop.pay(await shop.submit(event, name, key=f"{turn}")))
            except OnsaleError:
                await runtime.seats.release(event, name)

    mending = asyncio.create_task(mend())
    await asyncio.gather(*map(visitor, range(20)))
    stop.set()
    await mending
    await finish_all(shop, event)
    await check_books(runtime, event, bank)
    assert (await runtime.reconcile.run(event, dry_run=True)).found == []
    await shop.supervisor.drain(10)


async def test_a_payment_that_never_began_is_found_soon(runtime: Runtime, make_event: MakeEvent) -> None:
    """S15: the process died between Redis and PostgreSQL; PostgreSQL has not changed the seat for a day."""
    event = await make_event()
    await _orphaned_payment(runtime, event)
    await runtime.waiting_room.join(event, "b")
    await runtime.seats.hold(event, "b", [4])
    await runtime.seats.begin_payment(event, "b")  # a young one: left alone
    report = await runtime.reconcile.run_paying(event)
    assert (report.seats, [m.ordinal for m in report.found], report.mended) == (2, [3], 1)
    assert (await runtime.seats.board(event)).states[3:5] == bytes([0, 1])
    assert await runtime.seats.basket(event, "a") is None


async def test_locks_without_a_ttl_are_deleted(runtime: Runtime) -> None:
    stray, good = keys.seat_lock("janitor-test", 1), keys.seat_lock("janitor-test", 2)
    await runtime.redis.set(stray, "somebody")
    await runtime.redis.set(good, "somebody", px=60_000)
    assert stray in await delete_locks_without_ttl(runtime.redis)
    assert await runtime.redis.exists(stray) == 0
    assert await runtime.redis.exists(good) == 1
