"""A store that goes away in the middle of a checkout, or whose answer is lost: nothing is guessed, and what is
decided stands (S15; rules 2, 3).
"""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from core.errors import StoreUnavailable
from core.runtime import Runtime
from core.seats.board import SeatState
from tests.booking import (
    Bank,
    check_books,
    desk,
    finish_all,
    results,
    until,
)
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient", "alone")


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
    _answer_lost(at.checkout._reservations, method, carried_out=carried_out)
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
    _answer_lost(at.checkout._reservations, "begin")
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
    _answer_lost(at.checkout._reservations, "bind", carried_out=carried_out)
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
    _answer_lost(at.checkout._reservations, "begin", carried_out=False)
    _answer_lost(at.checkout._reservations, "get", times=2, carried_out=False)
    with pytest.raises(StoreUnavailable):
        await at.submit(event, "v")

    async def held_again() -> bool:
        basket = await runtime.seats.basket(event, "v")
        return basket is not None and not basket.paying

    await until(held_again)
    assert bank.calls == 0
    assert (await at.ended(await at.pay(await at.submit(event, "v")))).status == "CONFIRMED"
