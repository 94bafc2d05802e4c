"""What a submit under another key is told, and who is woken when a reservation ends: S26, S22."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.errors import HoldExpired, OnsaleError, PaymentInProgress
from core.runtime import Runtime
from tests.booking import Bank, desk, finish_all
from tests.conftest import MakeEvent
from tests.waits import until

pytestmark = pytest.mark.usefixtures("patient", "alone")


class SlowBoard:
    """The seats' room, whose board is told of a reservation's end only when `go` is set."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.go = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def settle(self, *arguments: Any, unpaid: bool = False) -> None:
        await self.go.wait()
        await self._real.settle(*arguments)


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [("approve", PaymentInProgress, "yours already"), ("decline", HoldExpired, "payment for these seats is over")],
)
async def test_another_key_after_the_end_is_led_to_the_reservation(
    runtime: Runtime, make_event: MakeEvent, says: str, error: type[OnsaleError], words: str
) -> None:
    """The first payment has ended in PostgreSQL, and Redis has not been told: the basket still says "paying"."""
    event, bank = await make_event(), Bank(says=says)
    slow = SlowBoard(runtime.seats)
    at, other = desk(runtime, bank, seats=slow), desk(runtime, bank)
    ended = await at.over(await at.buy(event, "v", 3, key="first"))
    with pytest.raises(error, match=words) as refused:
        await other.submit(event, "v", key="second")
    assert refused.value.data["reservation"] == str(ended.id)
    slow.go.set()
    await finish_all(at, event)
    assert bank.calls == 1


async def test_the_relay_is_woken_by_each_end(runtime: Runtime, make_event: MakeEvent) -> None:
    """S22: the e-mail leaves at once, and not at the relay's next look."""
    event, bank, woken = await make_event(), Bank(), []
    at = desk(runtime, bank, wake=lambda: woken.append(1))
    bank.gate = asyncio.Event()
    begun = await at.buy(event, "v", 3)
    assert woken == [], "nobody waits for the news that a payment began"
    bank.gate.set()
    await at.ended(begun)
    # PostgreSQL may tell of the end before the answer is with whoever wrote it.
    await until(lambda: woken, "the relay was not woken")
    await finish_all(at, event)
    assert len(woken) == 1
    await at.checkout.cancel(begun.id, "v")
    assert len(woken) == 2
