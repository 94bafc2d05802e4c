"""Charges that meet a reservation that is over, or seats that are not its own any more, and a provider that takes long
(S27; rule 2).
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.runtime import Runtime
from tests.booking import (
    Bank,
    Desk,
    check_books,
    desk,
    finish_all,
    rows,
    until,
)
from tests.conftest import MakeEvent
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient", "alone")


async def test_an_approval_that_comes_too_late_is_given_back(runtime: Runtime, make_event: MakeEvent) -> None:
    """Rule 2: a process that slept through its lease, charged after all, and finds the reservation failed."""
    event, bank = await make_event(), Bank(idempotent=False)
    sleeper, other = desk(runtime, bank), desk(runtime, bank)
    bank.gate = asyncio.Event()
    # It sleeps: its lease is not renewed.
    _asleep(sleeper)
    begun = await sleeper.buy(event, "v", 3)
    await finish_all(other, event)
    assert (await other.checkout.get(begun.id, "v")).reason == "not_charged"
    bank.gate.set()
    await sleeper.supervisor.drain(PATIENCE)
    await finish_all(other, event)
    assert [entry.left for entry in bank.ledger.values()] == [0]
    assert await check_books(runtime, event, bank) == {"FAILED": 1}


async def test_an_approval_for_seats_that_were_taken_away_is_given_back(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """Somebody changed a seat by hand while it was being paid for: no ticket for a seat that is not there."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    bank.gate = asyncio.Event()
    begun = await at.buy(event, "v", 3, 4)
    await until(lambda: _called(bank))
    await rows(runtime, "UPDATE seats SET status = 'BLOCKED' WHERE event_id = $1 AND ordinal = 4", event.id)
    bank.gate.set()
    ended = await at.ended(begun)
    assert (ended.status, ended.reason) == ("FAILED", "payment_cancelled")
    await finish_all(at, event)
    assert [entry.left for entry in bank.ledger.values()] == [0]
    seats = await rows(runtime, "SELECT ordinal FROM seats WHERE event_id = $1 AND status <> 'AVAILABLE'", event.id)
    assert [row["ordinal"] for row in seats] == [4]


async def test_no_money_is_asked_for_seats_that_were_taken_away(runtime: Runtime, make_event: MakeEvent) -> None:
    """P1: confirm is sent only while the seats are ours."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3, 4)
    await rows(runtime, "UPDATE seats SET status = 'BLOCKED' WHERE event_id = $1 AND ordinal = 4", event.id)
    ended = await at.ended(await at.pay(begun))
    assert (ended.status, ended.reason) == ("FAILED", "payment_cancelled")
    await finish_all(at, event)
    assert (bank.calls, bank.ledger) == (0, {})
    assert bank.voids, "the authorisation was not let go of"


async def test_a_slow_provider_keeps_its_lease(runtime: Runtime, make_event: MakeEvent) -> None:
    """The claim is renewed while the call is under way: nobody else asks meanwhile."""
    event, bank = await make_event(), Bank()
    slow, other = desk(runtime, bank, claim_seconds=6.0), desk(runtime, bank)
    bank.gate = asyncio.Event()
    begun = await slow.buy(event, "v", 3)
    await until(lambda: _called(bank))

    async def lease() -> Any:
        (row,) = await rows(runtime, "SELECT claimed_until FROM payment_attempts WHERE reservation_id = $1", begun.id)
        return row["claimed_until"]

    first = await lease()

    async def renewed() -> bool:
        assert await other.checkout.finish_due() == 0
        assert bank.asked == []
        return bool(await lease() > first)

    await until(renewed)
    bank.gate.set()
    assert (await slow.ended(begun)).status == "CONFIRMED"


def _asleep(at: Desk) -> None:
    async def nothing(order: str, token: str) -> None:
        return None

    at.checkout._reservations.renew = nothing  # type: ignore[method-assign]


async def _called(bank: Bank) -> bool:
    return bank.calls == 1
