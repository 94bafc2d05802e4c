"""A process killed at any point of checkout leaves nothing half done: another one finishes it (S15, S27; rules 2, 3).

`Killed` is no `Exception`: nothing in the product catches it, so what follows it in the code does not run, as when the
process dies. (`tests/chaos` kills real processes as well.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from core.booking.checkout import Checkout
from core.booking.reservation import Reservation
from core.errors import StoreUnavailable
from core.runtime import Runtime
from core.seats.board import SeatState
from tests.booking import (
    Bank,
    Desk,
    Killed,
    attempts,
    check_books,
    desk,
    finish_all,
    pass_time,
    results,
    rows,
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


pytestmark = pytest.mark.usefixtures("alone")


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


# Stores that go away in the middle


class _RedisAway:
    """Seats whose `settle` and `reopen` do not get through while `away`."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.away = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name not in ("settle", "reopen"):
            return real

        async def call(*arguments: Any, **named: Any) -> Any:
            if self.away:
                raise StoreUnavailable() from RedisConnectionError("gone")
            return await real(*arguments, **named)

        return call


@pytest.mark.parametrize(("says", "end", "board"), [("approve", "CONFIRMED", 2), ("decline", "FAILED", 0)])
async def test_redis_away_after_the_commit(
    says: str, end: str, board: int, runtime: Runtime, make_event: MakeEvent
) -> None:
    """Rule 3, S15: the result stands and is reported; the board learns it when Redis is back."""
    event, bank, seats = await make_event(), Bank(says=says), _RedisAway(runtime.seats)
    at = desk(runtime, bank, seats=seats)
    seats.away = True
    ended = await at.over(await at.buy(event, "v", 3))
    assert ended.status == end
    assert (await runtime.seats.board(event)).states[3] == SeatState.HELD
    for _ in range(3):
        await at.checkout.finish_due()
    seats.away = False
    async with results(runtime, event) as pushed:
        await finish_all(at, event)
        assert (await pushed())["status"] == end
    assert (await runtime.seats.board(event)).states[3] == board
    assert await check_books(runtime, event, bank) == {end: 1}


async def test_cancelled_while_the_board_still_waits_for_the_sale(runtime: Runtime, make_event: MakeEvent) -> None:
    """What is told late is what PostgreSQL says then, not what it said when the reservation ended."""
    event, bank, seats = await make_event(), Bank(), _RedisAway(runtime.seats)
    at = desk(runtime, bank, seats=seats)
    seats.away = True
    ended = await at.over(await at.buy(event, "v", 3))
    assert (await at.checkout.cancel(ended.id, "v")).status == "CANCELLED"
    seats.away = False
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1}


def _answer_lost(owner: Any, method: str, *, times: int = 1, carried_out: bool = True) -> None:
    """PostgreSQL's answer to `method` does not arrive, `times` times; the statement may have been carried out."""
    real, left = getattr(owner, method), times

    async def lost(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        if left == 0:
            return await real(*arguments, **named)
        left -= 1
        if carried_out:
            await real(*arguments, **named)
        raise StoreUnavailable() from ConnectionError("connection was closed in the middle of operation")

    setattr(owner, method, lost)


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("method", ["called", "change", "leave"])
@pytest.mark.parametrize(("says", "end"), [("approve", "CONFIRMED"), ("decline", "FAILED")])
async def test_postgresql_answer_lost_while_paying(
    says: str, end: str, method: str, carried_out: bool, runtime: Runtime, make_event: MakeEvent
) -> None:
    event, bank = await make_event(), Bank(says=says)
    at = desk(runtime, bank)
    _answer_lost(parts(at.checkout)["rows"], method, carried_out=carried_out)
    ended = await at.over(await at.buy(event, "v", 3))
    assert ended.status == end
    await finish_all(at, event)
    assert bank.calls == 1
    assert await check_books(runtime, event, bank) == {end: 1}


async def test_postgresql_answer_to_the_guard_lost_but_carried_out(runtime: Runtime, make_event: MakeEvent) -> None:
    """S15: nothing is undone before it is known what happened; here the reservation is there, and is paid."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    await at.basket(event, "v", 3)
    _answer_lost(parts(at.checkout)["rows"], "begin")
    with pytest.raises(StoreUnavailable):
        await at.submit(event, "v")
    again = await at.submit(event, "v")
    assert (await at.ended(await at.pay(again))).status == "CONFIRMED"
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


@pytest.mark.parametrize("carried_out", [True, False])
async def test_postgresql_answer_to_the_return_lost(carried_out: bool, runtime: Runtime, make_event: MakeEvent) -> None:
    """The buyer's browser is told that the store is away, and loads the return again."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    assert begun.payment is not None
    returned = {"paymentKey": bank.authorise(begun.payment.order)}
    _answer_lost(parts(at.checkout)["rows"], "bind", carried_out=carried_out)
    with pytest.raises(StoreUnavailable):
        await at.checkout.returned(begun.payment.order, returned, {})
    await at.checkout.returned(begun.payment.order, returned, {})
    await finish_all(at, event)
    assert bank.calls == 1
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_postgresql_away_at_the_guard(runtime: Runtime, make_event: MakeEvent) -> None:
    """The seats are held again, with the time that is left, and nothing is charged."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    await at.basket(event, "v", 3)
    _answer_lost(parts(at.checkout)["rows"], "begin", carried_out=False)
    _answer_lost(parts(at.checkout)["rows"], "get", times=2, carried_out=False)
    with pytest.raises(StoreUnavailable):
        await at.submit(event, "v")

    async def held_again() -> bool:
        basket = await runtime.seats.basket(event, "v")
        return basket is not None and not basket.paying

    await until(held_again)
    assert bank.calls == 0
    assert (await at.ended(await at.pay(await at.submit(event, "v")))).status == "CONFIRMED"


# Charges that meet a reservation that is over


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


async def _dead(at: Desk) -> bool:
    return at.checkout._tasks._busy == 0


async def _called(bank: Bank) -> bool:
    return bank.calls == 1


async def _over(at: Desk, reservation: Reservation) -> bool:
    await at.checkout.finish_due()
    return (await at.now(reservation)).status != "PAYING"
