"""Tickets given back for the money: by buyers, by operators, of a whole event (P7; rule 2)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.booking.attempt import AttemptState
from core.booking.event_refunds_postgres import MOST_REFUSED, EventRefunds
from core.booking.refund import RefundAsked
from core.booking.reservation import Reservation
from core.errors import (
    InvalidRequest,
    KeyReused,
    NotCancellable,
    NotRefundable,
    RefundChanged,
    RefundTooLarge,
    SaleClosed,
)
from core.runtime import Runtime
from core.seats.board import SeatState
from core.venue.event import Event
from core.venue.fees import DEFAULT_FEES, FeeLine, fee_percent, fee_table
from tests.booking import (
    Bank,
    Desk,
    Killed,
    check_books,
    desk,
    finish_all,
    refunds,
    rows,
    until,
)
from tests.conftest import MakeEvent

NOW = datetime(2026, 1, 1, tzinfo=UTC)


pytestmark = pytest.mark.usefixtures("patient", "alone")


async def bought(at: Desk, event: Event, *seats: int, visitor: str = "v") -> Reservation:
    return await at.ended(await at.buy(event, visitor, *seats))


def asked(key: str = "k", **changes: Any) -> RefundAsked:
    return replace(RefundAsked(key=key, reason="sorry", asked_by="operator"), **changes)


def left_at(bank: Bank) -> int:
    return sum(entry.left for entry in bank.ledger.values())


# The fee table


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 100)), unique_by=lambda one: one[0], max_size=5),
    st.floats(-10, 300),
)
def test_what_giving_back_costs(lines: list[tuple[int, int]], hours: float) -> None:
    """The line with the most hours that are still left decides; past all of them it is not possible."""
    table = fee_table([{"hours": before, "percent": percent} for before, percent in lines])
    percent = fee_percent(table, NOW + timedelta(hours=hours), NOW)
    possible = [(before, cost) for before, cost in lines if hours >= before + 1e-6]
    certain = [(before, cost) for before, cost in lines if hours >= before - 1e-6]
    assert percent in {max(found)[1] if found else None for found in (possible, certain)}


def test_the_default_table() -> None:
    """Free until a day before the start, then none; without a start buyers cannot."""
    assert fee_table(None) == DEFAULT_FEES == (FeeLine(24, 0),)
    assert fee_percent(DEFAULT_FEES, NOW + timedelta(hours=25), NOW) == 0
    assert fee_percent(DEFAULT_FEES, NOW + timedelta(hours=23), NOW) is None
    assert fee_percent(DEFAULT_FEES, None, NOW) is None


@pytest.mark.parametrize(
    "wrong", ["x", [1], [{"hours": -1, "percent": 0}], [{"hours": 1, "percent": 101}], [{"hours": 1, "percent": 1}] * 2]
)
def test_a_table_that_is_none(wrong: Any) -> None:
    with pytest.raises(InvalidRequest):
        fee_table(wrong)


# Buyers


async def test_a_buyer_gives_single_seats_back(runtime: Runtime, make_event: MakeEvent) -> None:
    """Each seat's price less the fee; the last one ends the reservation."""
    event, bank = await make_event(), Bank()
    await rows(runtime, "UPDATE events SET fee_table = $2 WHERE id = $1", event.id, [{"hours": 1, "percent": 10}])
    event = await runtime.events.fresh(event.slug)
    at = desk(runtime, bank)
    reservation = await bought(at, event, 1, 2, 3)
    with pytest.raises(InvalidRequest):
        await at.checkout.cancel(reservation.id, "v", [9])
    left = await at.checkout.cancel(reservation.id, "v", [2])
    assert (left.status, left.seats, left.refunded) == ("CONFIRMED", (1, 3), 13500)
    assert left.ticket_code == reservation.ticket_code
    await finish_all(at, event)
    states = (await runtime.seats.board(event)).states
    assert [states[seat] for seat in (1, 2, 3)] == [SeatState.SOLD, SeatState.AVAILABLE, SeatState.SOLD]
    assert left_at(bank) == 45000 - 13500
    # The seat is somebody else's now; a repeat of the call takes nothing from them.
    other = await bought(at, event, 2, visitor="w")
    assert (await at.checkout.cancel(reservation.id, "v", [2])).refunded == 13500
    ended = await at.checkout.cancel(reservation.id, "v")
    assert (ended.status, ended.reason, ended.refunded) == ("CANCELLED", "cancelled_by_buyer", 13500 * 3)
    assert (await at.checkout.cancel(reservation.id, "v")).status == "CANCELLED"
    await finish_all(at, event)
    assert (await at.now(other)).status == "CONFIRMED"
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1, "CONFIRMED": 1}


async def test_a_buyer_is_too_late(runtime: Runtime, make_event: MakeEvent) -> None:
    bank = Bank()
    at = desk(runtime, bank)
    for starts_at in (None, datetime.now(UTC) + timedelta(hours=23), datetime.now(UTC) - timedelta(hours=1)):
        event = await make_event(starts_at=starts_at)
        reservation = await bought(at, event, 3)
        with pytest.raises(NotCancellable):
            await at.checkout.cancel(reservation.id, "v")


async def test_single_seats_of_what_is_not_paid_yet(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 1, 2)
    with pytest.raises(InvalidRequest):
        await at.checkout.cancel(begun.id, "v", [1])
    assert (await at.checkout.cancel(begun.id, "v")).status == "CANCELLED"


# Operators


async def test_two_operators_with_one_key_make_one_refund(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at, other = desk(runtime, bank), desk(runtime, bank)
    reservation = await bought(at, event, 1, 2)
    both = await asyncio.gather(
        *(one.checkout.refund(reservation.id, asked(seats=[1], fee=1000)) for one in (at, other, at, other))
    )
    assert {made.id for _, made in both} == {both[0][1].id}
    assert {(made.amount, made.fee) for _, made in both} == {(14000, 1000)}
    with pytest.raises(KeyReused):
        await at.checkout.refund(reservation.id, asked(seats=[2]))
    await finish_all(at, event)
    assert left_at(bank) == 16000
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_many_refunds_at_once_never_pass_the_amount(runtime: Runtime, make_event: MakeEvent) -> None:
    """P7: twenty operators, each with a key of their own, each asking for a third of it."""
    event, bank = await make_event(), Bank()
    desks = [desk(runtime, bank) for _ in range(4)]
    reservation = await bought(desks[0], event, 1, 2)

    async def ask(number: int) -> Any:
        wanted = asked(f"k{number}", amount=10000, refunded_before=0, release="keep")
        return await desks[number % 4].checkout.refund(reservation.id, wanted)

    outcomes = await asyncio.gather(*(ask(number) for number in range(20)), return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in outcomes) == 1
    assert {type(one) for one in outcomes if isinstance(one, BaseException)} == {RefundChanged}
    with pytest.raises(RefundTooLarge):
        await desks[0].checkout.refund(
            reservation.id, asked("more", amount=20001, refunded_before=10000, release="keep")
        )
    now, made = await desks[0].checkout.refund(
        reservation.id, asked("rest", amount=20000, refunded_before=10000, release="keep")
    )
    assert (now.status, now.refunded, made.amount, now.seats) == ("CONFIRMED", 30000, 20000, (1, 2))
    await finish_all(desks[0], event)
    assert left_at(bank) == 0
    # All is given back, the tickets are still the buyer's: they can be taken back for nothing.
    ended, made = await desks[0].checkout.refund(reservation.id, asked("seats"))
    assert (ended.status, made.amount, made.state) == ("CANCELLED", 0, "DONE")
    await finish_all(desks[0], event)
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1}


async def test_a_refund_that_another_process_finished_in_between_is_seen(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P7: after this operator's look, and before the statement; its claim is given back by then, so only what had been
    refunded tells.
    """
    event, bank = await make_event(), Bank()
    at, other = desk(runtime, bank), desk(runtime, bank)
    reservation = await bought(at, event, 1, 2)
    ask, looked = at.checkout._refunds.ask, False

    async def after_the_other(*args: Any) -> Any:
        nonlocal looked
        if not looked:
            looked = True
            await other.checkout.refund(reservation.id, asked("b", amount=10000, refunded_before=0, release="keep"))
            await finish_all(other, event)
        return await ask(*args)

    monkeypatch.setattr(at.checkout._refunds, "ask", after_the_other)
    with pytest.raises(RefundChanged):
        await at.checkout.refund(reservation.id, asked("a", amount=10000, refunded_before=0, release="keep"))
    assert left_at(bank) == 20000
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_partial_then_the_rest(runtime: Runtime, make_event: MakeEvent) -> None:
    """Each under a key of its own, one after the other: so what was refunded before is known at each."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    reservation = await bought(at, event, 1, 2, 3)
    bank.reachable = False
    await at.checkout.refund(reservation.id, asked("a", seats=[1]))
    await at.checkout.refund(reservation.id, asked("b", seats=[2]))
    await at.checkout.refund(reservation.id, asked("c"))
    await at.checkout.finish_due()
    bank.reachable = True
    await finish_all(at, event)
    made = await refunds(runtime, event)
    assert [(row["amount"], row["state"]) for row in made] == [(15000, "DONE")] * 3
    assert len({key for _, _, key in bank.cancels}) == 3
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1}


async def test_seats_that_are_not_released(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    reservation = await bought(at, event, 1, 2)
    await at.checkout.refund(reservation.id, asked(seats=[1], release="block"))
    await finish_all(at, event)
    (seat,) = await rows(runtime, "SELECT status FROM seats WHERE event_id = $1 AND ordinal = 1", event.id)
    assert seat["status"] == "BLOCKED"
    assert (await runtime.seats.board(event)).states[1] != SeatState.AVAILABLE
    assert (await at.now(reservation)).seats == (2,)


async def test_what_cannot_be_refunded(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank(says="decline")
    at = desk(runtime, bank)
    failed = await at.ended(await at.buy(event, "v", 3))
    paying = await at.order(event, "w", 4)
    for reservation in (failed, paying):
        with pytest.raises(NotRefundable):
            await at.checkout.refund(reservation.id, asked())


async def test_a_refused_refund_gets_another_idempotency_key(runtime: Runtime, make_event: MakeEvent) -> None:
    """A provider remembers its errors under a key: the next try is another request, made once it is known that none
    before it was.
    """
    event, bank = await make_event(), Bank(refunds=False)
    at = desk(runtime, bank, resolver_seconds=0.001)
    reservation = await bought(at, event, 1, 2)
    await at.checkout.refund(reservation.id, asked(seats=[1]))

    async def refused() -> bool:
        await at.checkout.finish_due()
        return len({key for _, _, key in bank.cancels}) >= 2

    await until(refused)
    bank.refunds, bank.reachable = True, False
    bank.cancels.clear()
    bank.asked.clear()

    async def away() -> bool:
        await at.checkout.refund_now(reservation.id)
        return len(bank.asked) >= 3

    await until(away)
    assert bank.cancels == []
    bank.reachable = True
    await at.checkout.refund_now(reservation.id)
    assert left_at(bank) == 15000


async def test_killed_after_the_provider_gave_it_back(runtime: Runtime, make_event: MakeEvent) -> None:
    """A partial refund whose answer nobody heard is not made twice."""
    event, bank = await make_event(), Bank()
    dying, other = desk(runtime, bank), desk(runtime, bank)
    reservation = await bought(other, event, 1, 2)

    def die() -> None:
        bank.after_refund = None
        raise Killed

    bank.after_refund = die
    await dying.checkout.refund(reservation.id, asked(seats=[1]))
    await finish_all(other, event)
    assert len(bank.cancels) == 1, "what is left of the charge tells"
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


# A whole event


async def test_a_cancelled_event(runtime: Runtime, make_event: MakeEvent) -> None:
    """Nobody can pay any more, everybody's money goes back, paced, with a report; a process that dies in between is
    replaced.
    """
    event, bank = await make_event(seats=60), Bank()
    at = desk(runtime, bank)
    for seat in range(45):
        await at.buy(event, f"v{seat}", seat)
    await finish_all(at, event)
    waiting = await at.order(event, "w", 50)
    jobs = [EventRefunds(runtime.database, at.checkout, f"p{number}") for number in range(3)]
    begun = await jobs[0].start(event.id, key="k", reason="storm", asked_by="operator")
    assert (begun.state, begun.left, begun.paying) == ("RUNNING", 45, 1)
    with pytest.raises(KeyReused):
        await jobs[0].start(event.id, key="k", reason="another", asked_by="operator")

    async def over() -> bool:
        await rows(runtime, "UPDATE event_refunds SET next_attempt_at = now() WHERE event_id = $1", event.id)
        await asyncio.gather(*(job.work() for job in jobs))
        (row,) = await rows(
            runtime, "SELECT count(*) AS n FROM refunds WHERE event_refund_id = $1 AND state = 'PENDING'", begun.id
        )
        assert row["n"] <= 20, "not paced"
        await at.checkout.finish_due()
        (report,) = await jobs[0].of_event(event.id)
        return report.state == "DONE"

    await until(over)
    (report,) = await jobs[0].of_event(event.id)
    assert (report.done, report.amount, report.left, report.pending) == (45, 45 * 15000, 0, 0)
    ended = await at.now(waiting)
    assert (ended.status, ended.reason) == ("CANCELLED", "event_cancelled")
    await finish_all(at, event)
    assert left_at(bank) == 0
    assert await check_books(runtime, event, bank) == {"CANCELLED": 46}
    assert (await runtime.events.fresh(event.slug)).status == "CLOSED"


async def test_nobody_pays_for_an_event_that_was_cancelled(runtime: Runtime, make_event: MakeEvent) -> None:
    """P1, P7: neither who held seats in that moment, nor whose return came in it; the job that ends what waits has not
    come to them yet.
    """
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    await at.basket(event, "w", 4)
    await rows(runtime, "UPDATE events SET cancelled_at = now() WHERE id = $1", event.id)
    with pytest.raises(SaleClosed):
        await at.submit(event, "w")
    assert (await runtime.seats.board(event)).states[4] == SeatState.AVAILABLE
    ended = await at.ended(await at.pay(begun))
    assert (ended.status, ended.reason) == ("CANCELLED", "event_cancelled")
    await finish_all(at, event)
    assert bank.calls == 0, "money was asked for"
    assert len(bank.voids) == 1
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1}


async def test_what_costs_nothing_is_not_confirmed_after_its_event_was_cancelled(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P7: the cancel comes between the order and its confirmation; no call to a provider stands between them."""
    event, bank = await make_event(prices={"Standard": 0}), Bank()
    at = desk(runtime, bank)
    begin = at.checkout._reservations.begin

    async def then_cancelled(*args: Any, **named: Any) -> Any:
        claim = await begin(*args, **named)
        await rows(runtime, "UPDATE events SET cancelled_at = now() WHERE id = $1", event.id)
        return claim

    monkeypatch.setattr(at.checkout._reservations, "begin", then_cancelled)
    ended = await at.ended(await at.order(event, "v", 3))
    assert (ended.status, ended.reason, bank.calls) == ("CANCELLED", "event_cancelled", 0)
    await finish_all(at, event)
    assert (await runtime.seats.board(event)).states[3] == SeatState.AVAILABLE
    assert await refunds(runtime, event) == []
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1}


async def test_who_was_asked_for_the_money_before_the_event_was_cancelled_goes_on(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """P1: the identical request again, until it is known; the job then gives the money back."""
    event, bank = await make_event(), Bank(says="lost", reachable=False)
    at = desk(runtime, bank)
    begun = await at.buy(event, "v", 3)
    await at.until(begun, AttemptState.CALLED)
    await rows(runtime, "UPDATE events SET cancelled_at = now() WHERE id = $1", event.id)
    bank.says, bank.reachable = "approve", True
    await finish_all(at, event)
    assert (await at.ended(begun)).status == "CONFIRMED"
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_no_money_at_the_provider(runtime: Runtime, make_event: MakeEvent) -> None:
    """It stops, says so, and goes on when it is asked again under the same key."""
    event, bank = await make_event(seats=60), Bank(refunds=False)
    at = desk(runtime, bank, resolver_seconds=60.0)
    for seat in range(30):
        await at.buy(event, f"v{seat}", seat)
    await finish_all(at, event)
    job = EventRefunds(runtime.database, at.checkout, "p")
    begun = await job.start(event.id, key="k", reason="storm", asked_by="operator")

    async def in_state(state: str) -> bool:
        await rows(runtime, "UPDATE event_refunds SET next_attempt_at = now() WHERE event_id = $1", event.id)
        await job.work()
        await at.checkout.finish_due()
        (report,) = await job.of_event(event.id)
        return report.state == state

    await until(lambda: in_state("STOPPED"))
    (report,) = await job.of_event(event.id)
    assert report.refused >= MOST_REFUSED
    assert (report.done, report.code) == (0, "NOT_CANCELABLE_PAYMENT")
    assert report.left >= 10, "it went on although the provider has no money"
    bank.refunds = True
    again = await job.start(event.id, key="k", reason="storm", asked_by="operator")
    assert (again.id, again.state) == (begun.id, "RUNNING")
    await until(lambda: in_state("DONE"))
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CANCELLED": 30}
