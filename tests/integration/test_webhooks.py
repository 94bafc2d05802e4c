"""What a provider tells by webhook is looked up, once, at a bounded pace (P6, P9)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from core import keys
from core.booking.hints import LONGEST_SECONDS, ORDER_SECONDS, PAUSE_SECONDS
from core.booking.hints_redis import SharedHints
from core.clock import SystemClock
from core.runtime import Runtime
from tests.booking import (
    Bank,
    Entry,
    check_books,
    desk,
    finish_all,
    refunds,
    unfinished,
    until,
)
from tests.conftest import MakeEvent
from tests.integration.test_paying import _reason, order_of

pytestmark = pytest.mark.usefixtures("patient", "alone")


async def test_a_webhook_finds_what_the_redirect_lost(runtime: Runtime, make_event: MakeEvent) -> None:
    """The buyer authorised and the return never loaded: looked up, bound, confirmed."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    bank.authorise(order_of(begun))
    await at.checkout.hint("kcp", order_of(begun))
    await at.checkout.hint("toss", "0" * 32 + "a1")
    assert bank.asked == [], "another provider's hint, or one about no order of ours, is nothing"
    began = asyncio.get_running_loop().time()
    for _ in range(20):
        await at.checkout.hint("toss", order_of(begun))
    assert (await at.ended(begun)).status == "CONFIRMED"
    most = 1 + (asyncio.get_running_loop().time() - began) // ORDER_SECONDS
    assert 1 <= len(bank.asked) <= most, "one look-up for an order, whatever the flood"
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_a_webhook_asks_about_an_unknown_outcome_at_once(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank(says="hang", reachable=False)
    at = desk(runtime, bank, resolver_seconds=30.0)
    begun = await at.buy(event, "v", 3)
    await until(lambda: _reason(at, begun, "payment_checking"))
    bank.reachable = True
    await at.checkout.hint("toss", order_of(begun))
    assert (await at.ended(begun)).status == "CONFIRMED"


async def test_a_charge_without_an_attempt_is_given_back(runtime: Runtime, make_event: MakeEvent) -> None:
    """P6: approved at the provider for an order that is over here."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    await at.checkout.give_back(order_of(begun))
    await finish_all(at, event)
    bank.authorise(order_of(begun))
    bank.ledger.setdefault(order_of(begun), Entry(15000, charged=1))
    await at.checkout.hint("toss", order_of(begun))

    async def owed() -> bool:
        await at.checkout.finish_due()
        made = [row for row in await refunds(runtime, event) if row["kind"] == "refund"]
        return bool(made) and not await unfinished(runtime, event)

    await until(owed)
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1}


async def test_webhooks_of_one_order_to_all_processes_are_one_look_up(runtime: Runtime, make_event: MakeEvent) -> None:
    """P6: one in ten seconds, five a second in all: of the installation, and of each process while Redis is away."""
    event, bank = await make_event(), Bank()
    await runtime.redis.delete(keys.HINTS)
    desks = [desk(runtime, bank) for _ in range(4)]
    orders = [order_of(await desks[0].order(event, f"v{number}", number)) for number in range(8)]
    began = asyncio.get_running_loop().time()
    for order in orders:
        for at in desks:
            await at.checkout.hint("toss", order)

    async def all_asked() -> bool:
        return set(bank.asked) == set(orders)

    await until(all_asked)
    seconds = asyncio.get_running_loop().time() - began
    assert seconds >= 7 * PAUSE_SECONDS, "more than five in a second"
    for order in orders:
        assert bank.asked.count(order) <= 1 + seconds // ORDER_SECONDS, "an order was looked up by two processes"
    assert 0 < await runtime.redis.pttl(keys.HINTS) <= 40_000


async def test_webhooks_at_once_wait_for_their_reading(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: five are read at once and the others wait, a flood of them for nothing: what is genuine is looked up."""
    event, bank = await make_event(), Bank()
    await runtime.redis.delete(keys.HINTS)
    at = desk(runtime, bank)
    orders = [order_of(await at.order(event, f"v{number}", number)) for number in range(8)]
    read, go, most = at.checkout._reservations.attempt, asyncio.Event(), 0
    reading = 0

    async def waits(order: str) -> Any:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        await go.wait()
        reading -= 1
        return await read(order)

    monkeypatch.setattr(at.checkout._reservations, "attempt", waits)
    hints = [asyncio.create_task(at.checkout.hint("toss", order)) for order in orders]
    flood = [asyncio.create_task(at.checkout.hint("toss", f"{number:032x}a1")) for number in range(200)]

    async def dropped() -> bool:
        return sum(one.done() for one in flood) == 200 - (105 - len(hints))

    await until(dropped)
    go.set()
    await asyncio.gather(*hints, *flood)
    assert most == 5

    async def all_asked() -> bool:
        return set(bank.asked) == set(orders)

    await until(all_asked)


async def test_a_webhook_that_tells_nothing_new_costs_nothing(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: another provider's order is not asked about; one that is looked up anyway is not read again."""
    event, bank = await make_event(), Bank()
    await runtime.redis.delete(keys.HINTS)
    at = desk(runtime, bank)
    not_theirs, own = [order_of(await at.order(event, f"v{number}", number)) for number in range(2)]
    read, reads = at.checkout._reservations.attempt, list[str]()

    async def counted(order: str) -> Any:
        reads.append(order)
        return await read(order)

    monkeypatch.setattr(at.checkout._reservations, "attempt", counted)
    await at.checkout.hint("kcp", not_theirs)
    for _ in range(20):
        await at.checkout.hint("toss", own)
    # For the look-up of now, and for the one in ten seconds.
    assert reads.count(own) < 10

    async def asked() -> bool:
        return own in bank.asked

    await until(asked)
    assert not_theirs not in bank.asked, "it would have been asked about first"


async def test_a_turn_of_a_process_that_died_is_somebodys_again(runtime: Runtime) -> None:
    """P6: a process whose hint was refused for another's turn asks anew with the next one."""
    await runtime.redis.delete(keys.HINTS)
    dies, lives = (SharedHints(runtime.redis, SystemClock().monotonic) for _ in range(2))
    for _ in range(2):
        wait = dies.wait("a")
        assert wait is not None
        assert await dies.turn("a", wait) is not None
    for _ in range(3):
        wait = lives.wait("a")
        assert wait is not None, "its own account keeps it from asking"
        assert await lives.turn("a", wait) is None
    # The planned moment passes, and nobody is there.
    await runtime.redis.zincrby(keys.HINTS, -1000 * ORDER_SECONDS, "a")
    wait = lives.wait("a")
    assert wait is not None
    assert await lives.turn("a", wait) is not None


async def test_a_look_up_that_could_only_be_made_much_later_is_not_made(runtime: Runtime) -> None:
    """P6: a flood about orders that there are is bounded, over all processes; the comparison finds what is left."""
    await runtime.redis.delete(keys.HINTS)
    hints = SharedHints(runtime.redis, SystemClock().monotonic)
    turns = [await hints.turn(f"order-{number}", 0.0) for number in range(400)]
    assert turns[0] is not None
    assert max(turn for turn in turns if turn is not None) <= LONGEST_SECONDS
    await runtime.redis.delete(keys.HINTS)


async def test_webhooks_without_redis(unused_tcp_port: int) -> None:
    redis = Redis(host="127.0.0.1", port=unused_tcp_port)
    hints = SharedHints(redis, SystemClock().monotonic)
    assert await hints.turn("a", 1.5) == 1.5
    await redis.aclose()
