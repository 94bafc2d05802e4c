"""Payments of which nobody knows yet whether they charged: S27, P1; rule 2."""

from __future__ import annotations

import pytest

from core.booking.attempt import AttemptState
from core.booking.reservation import Reservation
from core.runtime import Runtime
from core.seats.board import SeatState
from tests.booking import (
    Bank,
    Desk,
    Entry,
    check_books,
    desk,
    finish_all,
    refunds,
    results,
    rows,
    until,
)
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient", "alone")


async def test_unknown_keeps_the_seats_until_it_is_known(runtime: Runtime, make_event: MakeEvent) -> None:
    """S27: a timeout is not a failure."""
    event, bank = await make_event(), Bank(says="hang", reachable=False)
    at = desk(runtime, bank)
    async with results(runtime, event) as pushed:
        begun = await at.buy(event, "v", 7)
        await pushed()
        told = await pushed()
        assert (told["status"], told["reason"]) == ("PAYING", "payment_checking")
        for _ in range(3):
            await at.checkout.finish_due()
        assert (await runtime.seats.board(event)).states[7] == SeatState.HELD
        assert (await at.checkout.get(begun.id, "v")).status == "PAYING"
        bank.reachable = True
        await finish_all(at, event)
        assert (await pushed())["status"] == "CONFIRMED"
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_a_confirm_that_never_arrived_is_sent_again_identically(runtime: Runtime, make_event: MakeEvent) -> None:
    """P1: a look-up that says "authorised", a young key and an idempotent provider."""
    event, bank = await make_event(), Bank(says="lost")
    at = desk(runtime, bank)
    begun = await at.buy(event, "v", 7)
    assert (await at.until(begun, AttemptState.CALLED)).status == "PAYING"
    await until(lambda: bank.calls)  # written down first, then sent
    bank.says = "approve"
    await finish_all(at, event)
    assert bank.calls >= 2
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


@pytest.mark.parametrize("says", ["unavailable", "shop"])
async def test_a_second_sending_that_is_not_sent_proves_nothing_of_the_first(
    runtime: Runtime, make_event: MakeEvent, says: str
) -> None:
    """Rule 2: the first is held up on its way, the second meets a closed door, and then the first arrives."""
    event, bank = await make_event(), Bank(says="lost")
    at = desk(runtime, bank, resolver_seconds=30.0, retry_seconds=60.0)
    begun = await at.buy(event, "v", 7)
    await at.until(begun, AttemptState.CALLED)
    await until(lambda: _checking(at, begun))
    assert begun.payment is not None
    bank.says = says
    looked_up = len(bank.asked)
    await rows(runtime, "UPDATE payment_attempts SET next_attempt_at = now() WHERE order_no = $1", begun.payment.order)
    await at.checkout.finish_due()
    assert len(bank.asked) > looked_up, "it was not even looked up"
    now = await at.now(begun)
    assert now.payment is not None
    assert (now.status, now.payment.state) == ("PAYING", "CALLED"), "what is not known was taken for proven"
    assert (await runtime.seats.board(event)).states[7] == SeatState.HELD
    bank.ledger[begun.payment.order] = Entry(15_000, charged=1)
    await rows(runtime, "UPDATE payment_attempts SET next_attempt_at = now() WHERE order_no = $1", begun.payment.order)
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_a_key_that_is_too_old_is_not_sent_again(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank(says="lost")
    at = desk(runtime, bank, resolver_seconds=30.0)
    begun = await at.buy(event, "v", 7)
    await at.until(begun, AttemptState.CALLED)
    await until(lambda: _checking(at, begun))
    calls = bank.calls
    await rows(
        runtime,
        "UPDATE payment_attempts SET authorised_at = now() - interval '10 minutes', next_attempt_at = now() "
        "WHERE reservation_id = $1",
        begun.id,
    )
    await finish_all(at, event)
    assert bank.calls == calls
    ended = await at.now(begun)
    assert (ended.status, ended.reason) == ("FAILED", "not_charged")
    assert bank.voids, "the authorisation was not let go of"


async def test_unknown_that_never_reached_the_provider_fails(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank(says="lost", idempotent=False)
    at = desk(runtime, bank)
    begun = await at.buy(event, "v", 7)
    await finish_all(at, event)
    ended = await at.checkout.get(begun.id, "v")
    assert (ended.status, ended.reason) == ("FAILED", "not_charged")
    assert await check_books(runtime, event, bank) == {"FAILED": 1}


async def test_a_charge_that_arrives_after_it_was_asked_about_is_given_back(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """Rule 2: "no such order" said a moment before the order came."""
    event, bank = await make_event(), Bank(says="lost", idempotent=False)
    at = desk(runtime, bank)
    begun = await at.buy(event, "v", 7)
    order = begun.payment.order if begun.payment else ""

    await at.failed(begun)
    bank.ledger[order].charged += 1
    await finish_all(at, event)
    assert bank.ledger[order].left == 0
    assert await check_books(runtime, event, bank) == {"FAILED": 1}


async def test_past_the_deadline_it_is_cancelled_at_the_provider(runtime: Runtime, make_event: MakeEvent) -> None:
    """S27: confirmed, or failed with the charge cancelled, however long the provider is away."""
    event, bank = await make_event(), Bank(says="hang", reachable=False)
    at = desk(runtime, bank, payment_deadline_seconds=0.5)
    begun = await at.buy(event, "v", 7)

    await at.failed(begun)
    assert (await at.checkout.get(begun.id, "v")).reason == "payment_unknown_cancelled"
    assert not any((await runtime.seats.board(event)).states)
    assert [entry.refunded for entry in bank.ledger.values()] == [0]
    assert [(row["kind"], row["state"]) for row in await refunds(runtime, event)] == [("refund", "PENDING")]
    bank.reachable = True
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"FAILED": 1}


async def _checking(at: Desk, reservation: Reservation) -> bool:
    return (await at.now(reservation)).reason == "payment_checking"
