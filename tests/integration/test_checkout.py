"""Checkout on the real stores: S15, S26-S28, D6; rules 1, 2, 3 and 9."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from core.booking.attempt import AttemptState
from core.booking.reservation import ReservationStatus
from core.errors import (
    NoSeatsHeld,
    NotCancellable,
    ReservationNotFound,
)
from core.runtime import Runtime
from core.seats.board import SeatState
from tests.booking import (
    Bank,
    all_free,
    check_books,
    desk,
    finish_all,
    none_open,
    refunds,
    results,
    rows,
    until,
)
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient", "alone")


async def test_approved(runtime: Runtime, make_event: MakeEvent) -> None:
    """S26: accepted at once, confirmed later, pushed, on the board, in the outbox."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    async with results(runtime, event) as pushed:
        begun = await at.order(event, "v", 3, 1)
        assert (begun.status, begun.seats, begun.amount, begun.currency) == ("PAYING", (1, 3), 30000, "KRW")
        assert begun.payment is not None
        assert (begun.payment.state, begun.payment.order) == ("OPEN", f"{begun.id.hex}a1")
        assert bank.calls == 0, "money was asked for before the buyer authorised it"
        await at.pay(begun)
        assert (await pushed())["status"] == "PAYING", "the other tab is told that the buyer is back"
        assert await pushed() == {
            "visitor": "v",
            "id": str(begun.id),
            "status": "CONFIRMED",
            "reason": None,
            "seats": [1, 3],
            "amount": 30000,
            "currency": "KRW",
        }
    confirmed = await at.checkout.get(str(begun.id), "v")
    assert confirmed.status is ReservationStatus.CONFIRMED
    assert len(confirmed.ticket_code or "") >= 20
    await until(lambda: none_open(runtime, event))
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}
    assert await runtime.seats.basket(event, "v") is None


async def test_the_outbox_tells_all_that_consumers_need(runtime: Runtime, make_event: MakeEvent) -> None:
    """S17, S18: the payload carries each seat with its version."""
    event = await make_event()
    at = desk(runtime, Bank())
    begun = await at.ended(await at.buy(event, "v", 12))
    payloads = [
        row["payload"]
        for row in await rows(runtime, "SELECT payload FROM outbox WHERE reservation_id = $1 ORDER BY id", begun.id)
    ]
    at_time = payloads[1].pop("at")
    assert abs(datetime.fromisoformat(at_time) - datetime.now(UTC)) < timedelta(minutes=1)
    assert at_time.endswith("Z")
    assert payloads[1] == {
        "event": event.slug,
        "event_id": event.id,
        "event_name": "Test night",
        "reservation_id": str(begun.id),
        "visitor": "v",
        "status": "CONFIRMED",
        "reason": None,
        "email": "v@example.org",
        "language": "en",
        "amount": 15000,
        "currency": "KRW",
        "ticket_code": begun.ticket_code,
        "seats": [
            {
                "ordinal": 12,
                "version": 2,
                "status": "SOLD",
                "price": 15000,
                "category": "Standard",
                "zone": "Stalls",
                "row": "2",
                "number": "3",
            }
        ],
    }
    assert payloads[0]["status"] == "PAYING"
    assert payloads[0]["seats"][0]["version"] == 1
    assert payloads[0]["ticket_code"] is None


async def test_declined_frees_the_seats_at_once(runtime: Runtime, make_event: MakeEvent) -> None:
    """S28: on every screen, and the buyer may pick again."""
    event, bank = await make_event(), Bank(says="decline")
    at = desk(runtime, bank)
    async with results(runtime, event) as pushed:
        begun = await at.buy(event, "v", 0, 1)
        await pushed()
        told = await pushed()
    assert (told["status"], told["reason"]) == ("FAILED", "declined")
    # The push comes after the board: whoever reads the result finds the seats free.
    assert not any((await runtime.seats.board(event)).states)
    bank.says = "approve"
    again = await at.ended(await at.buy(event, "v", 0, 1, key="second"))
    assert again.status == "CONFIRMED"
    assert again.id != begun.id
    await until(lambda: none_open(runtime, event))
    assert await check_books(runtime, event, bank) == {"FAILED": 1, "CONFIRMED": 1}


async def test_nothing_held(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    with pytest.raises(NoSeatsHeld):
        await desk(runtime, Bank()).submit(event, "v")


async def test_free_seats_need_no_provider(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(prices={"Standard": 0}), Bank()
    at = desk(runtime, bank)
    ended = await at.order(event, "v", 5)
    assert (ended.status, ended.amount, ended.payment, bank.calls) == ("CONFIRMED", 0, None, 0)
    await until(lambda: none_open(runtime, event))
    cancelled = await at.checkout.cancel(ended.id, "v")
    assert cancelled.status == "CANCELLED"
    await until(lambda: none_open(runtime, event))


async def test_the_books_are_really_compared(runtime: Runtime, make_event: MakeEvent) -> None:
    """Control of `check_books`, on which these tests, the killed ones and the fault test rest."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.ended(await at.buy(event, "v", 3))
    await until(lambda: none_open(runtime, event))
    (entry,) = bank.ledger.values()
    for charged, refunded in [(2, 0), (1, entry.amount), (1, 1), (0, 0)]:
        entry.charged, entry.refunded = charged, refunded
        with pytest.raises(AssertionError):
            await check_books(runtime, event, bank)
    entry.charged, entry.refunded = 1, 0
    await runtime.seats.reopen(event, [3])
    with pytest.raises(AssertionError, match="the board tells something else"):
        await check_books(runtime, event, bank)
    await runtime.seats.settle(event, "v", begun.fence, [3], SeatState.SOLD)
    await check_books(runtime, event, bank)
    await rows(runtime, "UPDATE seats SET status = 'AVAILABLE' WHERE event_id = $1 AND ordinal = 3", event.id)
    with pytest.raises(AssertionError):
        await check_books(runtime, event, bank)


async def test_only_the_owner_sees_a_reservation(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    at = desk(runtime, Bank())
    begun = await at.ended(await at.buy(event, "v", 3))
    strangers: list[tuple[UUID | str, str]] = [(begun.id, "other"), ("no-id", "v"), (UUID(int=0).hex, "v")]
    for id, visitor in strangers:
        with pytest.raises(ReservationNotFound):
            await at.checkout.get(id, visitor)
        with pytest.raises(ReservationNotFound):
            await at.checkout.cancel(id, visitor)


async def test_cancel_gives_money_and_seats_back(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.ended(await at.buy(event, "v", 3))
    bank.reachable = False
    first, second = await asyncio.gather(at.checkout.cancel(begun.id, "v"), at.checkout.cancel(begun.id, "v"))
    assert (first.status, first.reason, second.status) == ("CANCELLED", "cancelled_by_buyer", "CANCELLED")

    await until(lambda: all_free(runtime, event))
    assert [(row["kind"], row["state"]) for row in await refunds(runtime, event)] == [("refund", "PENDING")]
    bank.reachable = True
    await finish_all(desk(runtime, bank), event)
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1}
    # The seat can be bought again, and a late repeat of the cancellation takes nothing from its new owner.
    await at.ended(await at.buy(event, "w", 3))
    assert (await at.checkout.cancel(begun.id, "v")).status == "CANCELLED"
    await until(lambda: none_open(runtime, event))
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1, "CONFIRMED": 1}


async def test_what_cannot_be_cancelled(runtime: Runtime, make_event: MakeEvent) -> None:
    begun_already = await make_event(starts_at=datetime.now(UTC) - timedelta(minutes=1))
    event, bank = await make_event(starts_at=datetime.now(UTC) + timedelta(days=2)), Bank()
    at = desk(runtime, bank)
    late = await at.ended(await at.buy(begun_already, "v", 3))
    with pytest.raises(NotCancellable):
        await at.checkout.cancel(late.id, "v")
    bank.gate = asyncio.Event()
    paying = await at.buy(event, "v", 3)
    await at.until(paying, AttemptState.CALLED)
    with pytest.raises(NotCancellable):
        await at.checkout.cancel(paying.id, "v")
    bank.gate.set()
    paid = await at.ended(paying)
    assert (await at.checkout.cancel(paid.id, "v")).status == "CANCELLED"
    bank.says = "decline"
    failed = await at.ended(await at.buy(event, "v", 4, key="other"))
    with pytest.raises(NotCancellable):
        await at.checkout.cancel(failed.id, "v")


async def test_payments_under_way_are_bounded(runtime: Runtime, make_event: MakeEvent) -> None:
    """What has no room waits as a row, and begins as soon as there is room."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank, payment_concurrency=3, claim_seconds=30.0)
    bank.gate = asyncio.Event()
    begun = [await at.buy(event, f"v{i}", i) for i in range(10)]

    async def three_at_work() -> bool:
        return bank.calls == 3

    await until(three_at_work)
    assert await at.checkout.finish_due() == 0
    bank.gate.set()
    for reservation in begun:
        assert (await at.ended(reservation)).status == "CONFIRMED"
    assert bank.most_at_once == 3
    await until(lambda: none_open(runtime, event))
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 10}


async def test_two_processes_share_what_is_due(runtime: Runtime, make_event: MakeEvent) -> None:
    """A payment is claimed by one of them."""
    event, bank = await make_event(), Bank()
    idle = desk(runtime, bank, payment_concurrency=1, claim_seconds=30.0)
    bank.gate = asyncio.Event()
    for i in range(12):
        await idle.buy(event, f"v{i}", i)
    others = [desk(runtime, bank, claim_seconds=30.0) for _ in range(3)]
    taking = asyncio.gather(*(other.checkout.finish_due() for other in others))
    bank.gate.set()
    taken = await taking
    await finish_all(idle, event)
    assert sum(taken) <= 12
    assert bank.calls == 12
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 12}
