"""One purchase however often it is sent, and by whom: idempotency keys, baskets, fences (S15, S27, rules 1 and 2)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.booking.reservation import Reservation
from core.database import raw
from core.errors import (
    HoldExpired,
    KeyReused,
    SeatTaken,
)
from core.runtime import Runtime
from core.seats.board import SeatState
from tests.booking import (
    Bank,
    check_books,
    desk,
    finish_all,
    none_open,
    rows,
    until,
)
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient", "alone")


async def test_twenty_submits_with_one_key_are_one_reservation(runtime: Runtime, make_event: MakeEvent) -> None:
    """One reservation and one charge, from one process and from five."""
    event, bank = await make_event(), Bank()
    desks = [desk(runtime, bank) for _ in range(5)]
    await desks[0].basket(event, "v", 3, 4)
    begun = await asyncio.gather(*(desks[i % 5].submit(event, "v") for i in range(20)))
    assert len({reservation.id for reservation in begun}) == 1
    await desks[0].ended(await desks[0].pay(begun[0]))
    await until(lambda: none_open(runtime, event))
    assert bank.calls == 1
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_one_key_in_two_processes_at_once_is_one_reservation(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process writes the reservation in the moment in which this one is about to: both are given it."""
    event, bank = await make_event(), Bank()
    here, other = desk(runtime, bank), desk(runtime, bank)
    await here.basket(event, "v", 3, 4)
    begin, theirs = here.checkout._reservations.begin, []

    async def late(*arguments: Any) -> Any:
        theirs.append(await other.submit(event, "v"))
        return await begin(*arguments)

    monkeypatch.setattr(here.checkout._reservations, "begin", late)
    mine = await here.submit(event, "v")
    assert [mine.id] == [made.id for made in theirs]


async def test_a_repeat_after_success_gives_the_same_reservation(runtime: Runtime, make_event: MakeEvent) -> None:
    """Though the hold is long gone."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    first = await at.ended(await at.buy(event, "v", 3))
    again = await desk(runtime, bank).submit(event, "v")
    assert (again.id, again.status, bank.calls) == (first.id, "CONFIRMED", 1)


async def test_a_key_is_not_good_for_another_body(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    await at.basket(event, "v", 3)
    both = await asyncio.gather(at.submit(event, "v"), at.submit(event, "v", provider="toss"), return_exceptions=True)
    assert sorted(type(one).__name__ for one in both) == ["KeyReused", "Reservation"]
    with pytest.raises(KeyReused):
        await at.submit(event, "v", email="lee@example.org")
    assert bank.calls <= 1


async def test_one_key_of_two_visitors_is_two_keys(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    first, second = await at.buy(event, "a", 0), await at.buy(event, "b", 1)
    assert first.id != second.id


async def test_the_same_basket_under_two_keys_is_paid_once(runtime: Runtime, make_event: MakeEvent) -> None:
    """A double click in two tabs: the second is told that the payment is under way."""
    event, bank = await make_event(), Bank()
    desks = [desk(runtime, bank) for _ in range(4)]
    await desks[0].basket(event, "v", 3)
    outcomes = await asyncio.gather(
        *(one.submit(event, "v", key=f"k{i}") for i, one in enumerate(desks)), return_exceptions=True
    )
    (made,) = [one for one in outcomes if isinstance(one, Reservation)]
    await desks[1].pay(made)
    assert sorted(type(one).__name__ for one in outcomes) == ["PaymentInProgress"] * 3 + ["Reservation"]
    # None of the refused has put the seats back on sale.
    states = (await runtime.seats.board(event)).states
    assert states[3] in (SeatState.HELD, SeatState.SOLD)
    await finish_all(desks[0], event)
    assert bank.calls == 1
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_the_guard_refuses_what_redis_gave_away(runtime: Runtime, make_event: MakeEvent) -> None:
    """A Redis that came back with an old state lets a sold seat be held: it is not sold twice, and the board learns."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    await at.ended(await at.buy(event, "a", 3))
    await until(lambda: none_open(runtime, event))
    await runtime.seats.reopen(event, [3])
    await at.basket(event, "b", 3, 4)
    with pytest.raises(SeatTaken) as refusal:
        await at.submit(event, "b")
    assert refusal.value.seats == [3]
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}
    assert bank.calls == 1
    assert await runtime.seats.basket(event, "b") is None


async def test_an_older_fence_is_refused(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    await at.basket(event, "v", 3)
    async with raw(runtime.database) as connection:
        await connection.execute("UPDATE seats SET fence = 9007199254740991 WHERE event_id = $1", event.id)
    with pytest.raises(HoldExpired):
        await at.submit(event, "v")
    assert bank.calls == 0
    assert not any((await runtime.seats.board(event)).states)


async def test_freeing_moves_the_fence_on(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    at = desk(runtime, Bank(says="decline"))
    ended = await at.ended(await at.buy(event, "v", 3))
    (seat,) = await rows(runtime, "SELECT * FROM seats WHERE event_id = $1 AND ordinal = 3", event.id)
    assert (seat["status"], seat["fence"], seat["version"]) == ("AVAILABLE", ended.fence + 1, 2)


async def test_a_basket_left_paying_by_a_dead_process_is_gone_on_with(runtime: Runtime, make_event: MakeEvent) -> None:
    """S15: a process that died between Redis and PostgreSQL; the buyer's next try goes through."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    await at.basket(event, "v", 3)
    await runtime.seats.begin_payment(event, "v")
    ended = await at.ended(await at.pay(await at.submit(event, "v")))
    assert ended.status == "CONFIRMED"
