"""Purchases a second: from a held basket to the ticket through `core.booking`, against its steps' bare statements.

The provider answers at once, so that what is measured is ours: checkout, window's return, note before the call,
confirmation, board and browser told. The limit makes the same five statements for the same reservations, and nothing
in Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import uuid4

import asyncpg

from bench.begin import forget
from bench.measure import Effort, Figure, Round, Stopwatch, alternate, best_cpu, best_wall
from bench.served import POSTGRESQL, Cpu
from bench.stores import PLANNED_ONCE, event_of, let_in
from core.booking.attempt import GRACE_SECONDS, MOST_REFUSED_KEYS, AttemptState, confirm_key, order_number
from core.booking.checkout import Checkout
from core.booking.composition import open_checkout
from core.booking.reservation import TRANSITIONS, Change, Reservation
from core.booking.statements_postgres import STATEMENTS
from core.database import raw
from core.errors import StoreUnavailable
from core.payments.breaker import BreakerConfig
from core.payments.breaker_redis import SharedBreaker
from core.payments.gateway import (
    Authorisation,
    Buyer,
    ChargeOutcome,
    ChargeResult,
    ContentSources,
    ListedCharge,
    Order,
    Window,
    WindowUrls,
)
from core.payments.payments import Payments, Provider
from core.process.supervisor import Supervisor
from core.runtime import Runtime
from core.venue.event import Event

#: Purchases of one round, each of a seat of its own.
_PURCHASES: Final = 600
#: Buyers who come back from the window at the same time.
_TASKS: Final = 50
_LOOK_SECONDS: Final = 0.02
_TRIES: Final = 100
_END_SECONDS: Final = 120.0
_STATEMENTS: Final = ("begin", "bind", "called", "transition", "leave")
_FENCE: Final = 1_000_000


async def purchases(runtime: Runtime, *, rounds: int = 5) -> list[Figure]:
    connections = runtime.settings.database_pool

    async def through_booking() -> Round:
        return await _bought(runtime)

    async with _prepared(runtime) as prepared:

        async def bare() -> Round:
            return await _stated(runtime, prepared, _PURCHASES)

        await through_booking()  # warms caches and plans
        limit, ours = await alternate(rounds, bare, through_booking)
    detail = {
        "client_cpu_ms": 1000 / best_cpu(ours),
        "limit_client_cpu_ms": 1000 / best_cpu(limit),
        "connections": connections,
        "tasks": _TASKS,
    }
    name = f"the five statements alone, asyncpg, {connections} connections"
    return [Figure("purchases", best_wall(ours), "/s", best_wall(limit), name, 0.2, detail)]


async def statements_alone(runtime: Runtime, effort: Effort, cpu: Callable[[], Cpu]) -> tuple[Round, float]:
    """The best round, and PostgreSQL's milliseconds of processor time for one purchase in the cheapest."""
    count, rounds, spent = effort.of(_PURCHASES), [], []
    async with _prepared(runtime) as prepared:
        for _ in range(effort.rounds):
            before = cpu()
            rounds.append(await _stated(runtime, prepared, count))
            spent.append(1000 * cpu().since(before)[POSTGRESQL] / count)
    return min(rounds, key=lambda one: one.wall), min(spent)


@contextlib.asynccontextmanager
async def _prepared(runtime: Runtime) -> AsyncIterator[list[dict[str, Any]]]:
    """The statements, prepared on connections of their own."""
    url, connections = runtime.settings.database_url, runtime.settings.database_pool
    pool = [await asyncpg.connect(url, server_settings=PLANNED_ONCE) for _ in range(connections)]
    try:
        yield [{name: await one.prepare(STATEMENTS[name]) for name in _STATEMENTS} for one in pool]
    finally:
        for connection in pool:
            await connection.close()


class _AtOnce:
    """A provider (`PaymentGateway`) that says yes without a call."""

    name = "toss"
    environment = "test:bench"
    currencies: frozenset[str] | None = None
    idempotent = True
    needs_phone_number = False
    sources = ContentSources()

    async def open_window(self, order: Order, buyer: Buyer, urls: WindowUrls) -> Window:
        return Window("sdk", {})

    def is_decline(self, code: str) -> bool:
        return False

    def is_shops_fault(self, code: str) -> bool:
        return False

    def read_return(self, order: Order, query: Mapping[str, str], form: Mapping[str, str]) -> Authorisation:
        return Authorisation(query["paymentKey"])

    async def confirm(self, order: Order, authorisation: Authorisation, idempotency_key: str) -> ChargeResult:
        return ChargeResult(ChargeOutcome.APPROVED, self.name, authorisation.key, balance=order.amount)

    async def look_up(self, order: Order, provider_key: str | None = None) -> ChargeResult:
        return ChargeResult(ChargeOutcome.UNKNOWN, self.name)

    async def cancel(
        self,
        order: Order,
        provider_key: str | None,
        *,
        amount: int | None,
        refunded_before: int,
        reason: str,
        idempotency_key: str,
    ) -> ChargeResult:
        return ChargeResult(ChargeOutcome.CANCELLED, self.name)

    async def void(self, order: Order, provider_key: str | None, *, reason: str, idempotency_key: str) -> ChargeResult:
        return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name)

    async def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ListedCharge]:
        raise NotImplementedError
        yield

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> str | None:
        return None

    async def aclose(self) -> None: ...


async def _bought(runtime: Runtime) -> Round:
    event = await event_of(runtime, _PURCHASES)
    visitors = [f"v_{number:022d}" for number in range(_PURCHASES)]
    await let_in(runtime, event, visitors)
    for seat, visitor in enumerate(visitors):
        await runtime.seats.hold(event, visitor, [seat])
    supervisor, checkout = _checkout(runtime)
    left = list(visitors)

    async def buy() -> None:
        while left:
            visitor = left.pop()
            # An address may buy no more seats than a visitor may: each buyer has one of their own.
            email = f"{visitor}@example.org"
            submit = partial(
                checkout.submit, event, visitor, email=email, idempotency_key="key", language="en", provider=None
            )
            begun = await _answered(submit)
            if begun.payment is None:
                raise RuntimeError("there is nothing to pay")
            back = {"paymentKey": f"key-{begun.payment.order}"}
            await _answered(partial(checkout.returned, begun.payment.order, back, {}))

    with Stopwatch() as watch:
        await asyncio.gather(*(buy() for _ in range(_TASKS)))
        async with asyncio.timeout(_END_SECONDS):
            while await _told(runtime, event) < _PURCHASES:
                # What the job of every process does: whatever met no room, or another step of its own, is gone on with.
                await checkout.finish_due(wait=False)
                await asyncio.sleep(_LOOK_SECONDS)
    await supervisor.drain(5)
    await forget(runtime, event)
    return watch.round(_PURCHASES)


async def _answered(call: Callable[[], Awaitable[Reservation]]) -> Reservation:
    """Whoever would wait for too long is asked to come again, and does."""
    for _ in range(_TRIES):
        with contextlib.suppress(StoreUnavailable):
            return await call()
        await asyncio.sleep(_LOOK_SECONDS)
    return await call()


def _checkout(runtime: Runtime) -> tuple[Supervisor, Checkout]:
    supervisor, gateway = Supervisor(), _AtOnce()
    circuit = SharedBreaker(provider=gateway.name, config=BreakerConfig(), redis=None, clock=runtime.clock)
    payments = Payments(
        providers=[Provider(gateway, circuit)],
        when_open="fail_fast",
        concurrency=runtime.settings.payment_concurrency,
        retries=0,
        alternative="",
        patience=0.1,
    )
    checkout = open_checkout(
        runtime.settings,
        database=runtime.database,
        redis=runtime.redis,
        seats=runtime.seats,
        events=runtime.events,
        access=runtime.access,
        payments=payments,
        supervisor=supervisor,
        clock=runtime.clock,
        process=f"bench-{secrets.token_hex(3)}",
    )
    return supervisor, checkout


async def _stated(runtime: Runtime, prepared: list[dict[str, Any]], count: int) -> Round:
    event = await event_of(runtime, count)
    left = list(range(count))

    def of(statements: dict[str, Any]) -> Callable[[], Awaitable[None]]:
        async def work() -> None:
            while left:
                await _state(runtime, statements, event, left.pop())

        return work

    with Stopwatch() as watch:
        await asyncio.gather(*(of(statements)() for statements in prepared))
    if await _told(runtime, event) != count:
        raise RuntimeError("not every reservation was confirmed")
    await forget(runtime, event)
    return watch.round(count)


async def _state(runtime: Runtime, statements: dict[str, Any], event: Event, seat: int) -> None:
    settings, id, rule = runtime.settings, uuid4(), TRANSITIONS[Change.CONFIRM]
    order, key, lease = order_number(id, 1), f"key-{id.hex}", settings.claim_seconds
    email = f"{seat}@example.org"
    made = await statements["begin"].fetchrow(
        id,
        event.id,
        f"v_{seat:022d}",
        "key",
        "0" * 64,
        email,
        "en",
        [seat],
        _FENCE,
        order,
        "toss",
        "test:bench",
        settings.payment_window_seconds,
        GRACE_SECONDS,
        "token",
        lease,
        email,
        None,
        None,
        None,
    )
    bound = await statements["bind"].fetchrow(order, key, "{}", "token", lease, GRACE_SECONDS, MOST_REFUSED_KEYS)
    called = await statements["called"].fetchrow(
        order, "token", confirm_key(order, key), settings.payment_deadline_seconds, lease
    )
    confirmed = await statements["transition"].fetchrow(
        order,
        rule.before,
        rule.after,
        None,
        secrets.token_urlsafe(16),
        rule.seats_before,
        rule.seats_after,
        rule.whole,
        [AttemptState.AUTHORISED, AttemptState.CALLED],
        AttemptState.APPROVED,
        "token",
        "token",
        lease,
        key,
        None,
        None,
        0.0,
        None,
        None,
        None,
        None,
        False,
        None,
    )
    await statements["leave"].fetch(order, "token", True, 0.0)
    if None in (made, bound, called, confirmed):
        raise RuntimeError("a step was refused")


async def _told(runtime: Runtime, event: Event) -> int:
    """Confirmed in PostgreSQL, and told."""
    async with raw(runtime.database) as connection:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM reservations r JOIN payment_attempts a ON a.reservation_id = r.id "
            "WHERE r.event_id = $1 AND r.status = 'CONFIRMED' AND NOT a.untold",
            event.id,
        )
    return count
