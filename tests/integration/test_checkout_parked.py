"""No provider can be reached: the order is refused, fails, or waits, by setting (S25, rule 9)."""

from __future__ import annotations

import pytest

from core.booking.reservation import Reservation
from core.errors import (
    PaymentUnavailable,
)
from core.payments.breaker import Mode
from core.runtime import Runtime
from core.seats.board import SeatState
from tests.booking import (
    Bank,
    Desk,
    check_books,
    desk,
    finish_all,
    pass_time,
    payments_of,
    results,
    until,
)
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient", "alone")


async def test_no_provider_could_be_reached(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank(says="unavailable")
    at = desk(runtime, bank)
    ended = await at.ended(await at.buy(event, "v", 7))
    assert (ended.status, ended.reason) == ("FAILED", "provider_unavailable")


async def test_payment_unavailable_keeps_the_hold(runtime: Runtime, make_event: MakeEvent) -> None:
    """S25, rule 9: refused before anything changed."""
    event, bank = await make_event(), Bank()
    payments = payments_of(runtime, bank)
    await payments.force_circuit("toss", Mode.FORCED_OPEN)
    at = desk(runtime, bank, payments=payments)
    await at.basket(event, "v", 5)
    with pytest.raises(PaymentUnavailable):
        await at.submit(event, "v")
    basket = await runtime.seats.basket(event, "v")
    assert basket is not None
    assert (basket.seats, basket.paying) == ((5,), False)


@pytest.mark.parametrize("says", ["unavailable", "temporary"])
async def test_a_parked_payment_waits_and_goes_on(says: str, runtime: Runtime, make_event: MakeEvent) -> None:
    """S25: the seats stay; paid when a provider can be reached. It remembers the error that it gave under a key."""
    event, bank = await make_event(), Bank(says=says)
    at = desk(runtime, bank, payments=payments_of(runtime, bank, when_open="park"))
    async with results(runtime, event) as pushed:
        begun = await at.buy(event, "v", 3)
        await pushed()
        assert (await pushed())["reason"] == "payment_parked"
    await at.checkout.finish_due()
    assert (await at.checkout.get(begun.id, "v")).status == "PAYING"
    assert (await runtime.seats.board(event)).states[3] == SeatState.HELD
    bank.says = "approve"
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_a_parked_payment_can_be_taken_back(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank(says="unavailable")
    at = desk(runtime, bank, payments=payments_of(runtime, bank, when_open="park"))
    begun = await at.buy(event, "v", 3)
    await until(lambda: _parked(at, begun))
    assert (await at.checkout.cancel(begun.id, "v")).status == "CANCELLED"
    bank.says = "approve"
    await finish_all(at, event)
    assert bank.calls == 0
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1}


async def test_a_parked_payment_ends_at_its_deadline(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank(says="unavailable")
    at = desk(runtime, bank, payments=payments_of(runtime, bank, when_open="park"))
    begun = await at.buy(event, "v", 3)
    await until(lambda: _parked(at, begun))
    await pass_time(runtime, begun.id, 600)
    await finish_all(at, event)
    ended = await at.checkout.get(begun.id, "v")
    assert (ended.status, ended.reason) == ("FAILED", "provider_unavailable")


async def _parked(at: Desk, reservation: Reservation) -> bool:
    return (await at.now(reservation)).reason == "payment_parked"
