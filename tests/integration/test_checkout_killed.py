"""A process killed at any point of checkout leaves nothing half done: another one finishes it (S15, S27; rules 2, 3).

`Killed` is no `Exception`: nothing in the product catches it, so what follows it in the code does not run, as when the
process dies. (`tests/chaos` kills real processes as well.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.booking.checkout import Checkout
from core.booking.reservation import Reservation
from core.runtime import Runtime
from tests.booking import (
    Bank,
    Desk,
    Killed,
    attempts,
    check_books,
    desk,
    finish_all,
    pass_time,
    until,
)
from tests.conftest import MakeEvent
from tests.waits import PATIENCE


def kill(owner: Any, method: str, when: str) -> None:
    """The process dies before, or right after, its first call of `method`."""
    real: Callable[..., Any] = getattr(owner, method)

    async def killed(*arguments: Any, **named: Any) -> Any:
        if when == "after":
            await real(*arguments, **named)
        raise Killed(f"{when} {method}")

    setattr(owner, method, killed)


def parts(checkout: Checkout) -> dict[str, Any]:
    return {"rows": checkout._reservations, "results": checkout._results, "refunds": checkout._refunds}


@pytest.fixture(autouse=True)
def _expected_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The killed task's exception is the test's own doing."""
    monkeypatch.setattr("core.process.supervisor.log.error", lambda *_, **__: None)


pytestmark = pytest.mark.usefixtures("patient", "alone")


#: part, method, when, what the provider says -> how it must end
POINTS = [
    ("rows", "called", "before", "approve", "CONFIRMED"),
    ("rows", "called", "after", "approve", "CONFIRMED"),
    ("rows", "change", "before", "approve", "CONFIRMED"),
    ("rows", "change", "after", "approve", "CONFIRMED"),
    ("results", "tell", "before", "approve", "CONFIRMED"),
    ("results", "tell", "after", "approve", "CONFIRMED"),
    ("rows", "leave", "before", "approve", "CONFIRMED"),
    ("rows", "change", "before", "decline", "FAILED"),
    ("rows", "change", "after", "decline", "FAILED"),
    ("results", "tell", "after", "decline", "FAILED"),
    ("rows", "wait", "before", "hang", "CONFIRMED"),
    ("rows", "wait", "after", "hang", "CONFIRMED"),
    ("rows", "wait", "before", "lost", "CONFIRMED"),
    ("rows", "wait", "after", "lost", "CONFIRMED"),
    ("rows", "end_attempt", "before", "unavailable", "FAILED"),
    ("rows", "end_attempt", "after", "unavailable", "FAILED"),
    ("rows", "reopen", "before", "forged", "FAILED"),
    ("rows", "reopen", "after", "forged", "FAILED"),
]


@pytest.mark.parametrize(("part", "method", "when", "says", "end"), POINTS)
async def test_killed_while_paying(
    part: str, method: str, when: str, says: str, end: str, runtime: Runtime, make_event: MakeEvent
) -> None:
    """Between any two steps from the return to the end: another process finishes it."""
    event, bank = await make_event(), Bank(says="approve" if says == "forged" else says)
    dying, other = desk(runtime, bank, retry_seconds=60.0), desk(runtime, bank, retry_seconds=60.0)
    if says == "decline":
        dying, other = desk(runtime, bank), desk(runtime, bank)
    begun = await dying.order(event, "v", 3, 4)
    kill(parts(dying.checkout)[part], method, when)
    order = begun.payment.order if begun.payment else ""
    key = "forged" if says == "forged" else bank.authorise(order)
    await dying.checkout.returned(order, {"paymentKey": key}, {})
    await until(lambda: _dead(dying))
    if says == "lost":
        bank.says = "approve"
    if says == "unavailable":
        # Until its deadline a call that nobody knows the end of may still arrive.
        await pass_time(runtime, begun.id, 60)
    await finish_all(other, event)
    if end == "FAILED":
        # Closed, or waiting for the genuine return: nobody comes, and its time ends.
        await pass_time(runtime, begun.id, 600)
        await until(lambda: _over(other, begun))
    await finish_all(other, event)
    assert (await other.checkout.get(begun.id, "v")).status == end
    assert await check_books(runtime, event, bank) == {end: 1}
    assert await runtime.seats.basket(event, "v") is None


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["bind", "end_attempt", "next_attempt"])
async def test_killed_between_the_steps_of_the_buyer(
    step: str, when: str, runtime: Runtime, make_event: MakeEvent
) -> None:
    """The process that served the return, the closed window or the next attempt dies: the buyer repeats the step
    elsewhere.
    """
    event, bank = await make_event(), Bank()
    dying, other = desk(runtime, bank), desk(runtime, bank)
    begun = await other.order(event, "v", 3)
    assert begun.payment is not None
    order = begun.payment.order
    if step == "next_attempt":
        await other.checkout.closed(order, "PAY_PROCESS_CANCELED")
    kill(parts(dying.checkout)["rows"], step, when)
    key = bank.authorise(order)
    steps: dict[str, Callable[[], Awaitable[object]]] = {
        "bind": lambda: dying.checkout.returned(order, {"paymentKey": key}, {}),
        "end_attempt": lambda: dying.checkout.closed(order, "PAY_PROCESS_CANCELED"),
        "next_attempt": lambda: dying.checkout.next_attempt(begun.id),
    }
    with pytest.raises(Killed):
        await steps[step]()
    if step == "end_attempt":
        assert (await other.checkout.closed(order, None)).reason == "closed"
    if step != "bind":
        begun, _ = await other.checkout.next_attempt(begun.id)
        assert begun.payment is not None
        assert begun.payment.number == 2
        await other.pay(begun)
    elif when == "before":
        await other.pay(begun)
    await finish_all(other, event)
    assert (await other.ended(begun)).status == "CONFIRMED"
    assert len([row for row in await attempts(runtime, event) if row["state"] == "APPROVED"]) == 1
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_as_the_time_to_pay_ends(when: str, runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    dying, other = desk(runtime, bank), desk(runtime, bank)
    begun = await other.order(event, "v", 3)
    await pass_time(runtime, begun.id, 600)
    kill(parts(dying.checkout)["rows"], "change", when)
    await dying.checkout.finish_due()
    await until(lambda: _over(other, begun))
    await finish_all(other, event)
    ended = await other.now(begun)
    assert (ended.status, ended.reason) == ("FAILED", "payment_window_ended")
    assert await check_books(runtime, event, bank) == {"FAILED": 1}


async def test_killed_after_the_charge(runtime: Runtime, make_event: MakeEvent) -> None:
    """The money is taken and nobody heard the answer."""
    event, bank = await make_event(), Bank()

    def die() -> None:
        bank.after_charge = None
        raise Killed

    bank.after_charge = die
    dying, other = desk(runtime, bank), desk(runtime, bank)
    await dying.buy(event, "v", 3)
    await until(lambda: _dead(dying))
    assert [entry.charged for entry in bank.ledger.values()] == [1]
    assert [row["state"] for row in await attempts(runtime, event)] == ["CALLED"]
    await finish_all(other, event)
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


@pytest.mark.parametrize(
    ("part", "method", "when"),
    [
        ("rows", "change", "after"),
        ("refunds", "claim", "before"),
        ("refunds", "claim", "after"),
        ("refunds", "done", "before"),
        ("refunds", "done", "after"),
    ],
)
async def test_killed_while_refunding(
    part: str, method: str, when: str, runtime: Runtime, make_event: MakeEvent
) -> None:
    event, bank = await make_event(), Bank()
    at, dying, other = (desk(runtime, bank) for _ in range(3))
    begun = await at.ended(await at.buy(event, "v", 3))
    kill(parts(dying.checkout)[part], method, when)
    try:
        await dying.checkout.cancel(begun.id, "v")
        await until(lambda: _dead(dying))
    except Killed:
        pass
    await finish_all(other, event)
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1}


async def test_killed_as_the_request_came_in(runtime: Runtime, make_event: MakeEvent) -> None:
    """After the row was written, before the payment began: the buyer saw no answer, and the row is the job."""
    event, bank = await make_event(), Bank()
    dying, other = desk(runtime, bank), desk(runtime, bank)
    await dying.basket(event, "v", 3)
    kill(parts(dying.checkout)["rows"], "begin", "after")
    with pytest.raises(Killed):
        await dying.submit(event, "v")
    again = await other.submit(event, "v")
    assert again.status == "PAYING"
    await other.pay(again)
    await finish_all(other, event)
    assert bank.calls == 1
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_a_buyer_who_leaves_does_not_stop_it(runtime: Runtime, make_event: MakeEvent) -> None:
    """A request that is cancelled in the middle of a submit: the submit goes on."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    await at.basket(event, "v", 3)
    request = asyncio.create_task(at.submit(event, "v"))
    await asyncio.sleep(0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await at.supervisor.drain(PATIENCE)
    other = desk(runtime, bank)
    await other.ended(await other.pay(await other.submit(event, "v")))
    await finish_all(other, event)
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def _dead(at: Desk) -> bool:
    return at.checkout._tasks._busy == 0


async def _over(at: Desk, reservation: Reservation) -> bool:
    await at.checkout.finish_due()
    return (await at.now(reservation)).status != "PAYING"
