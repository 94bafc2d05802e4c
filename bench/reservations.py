"""Reservations a second: checkout's first step in PostgreSQL through `core.booking`, against the bare statement."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final
from uuid import uuid4

import asyncpg

from bench.measure import Figure, Round, Stopwatch, alternate, best_cpu, best_wall
from bench.stores import PLANNED_ONCE, event_of
from core.booking.attempt import GRACE_SECONDS, order_number
from core.booking.reservations_postgres import _BEGIN, Reservations
from core.booking.stored import NewReservation
from core.database import raw
from core.payments.account import Account
from core.runtime import Runtime
from core.venue.event import Event

_RESERVATIONS: Final = 1500
_FENCE: Final = 1_000_000


async def reservations(runtime: Runtime, *, rounds: int = 7) -> list[Figure]:
    settings = runtime.settings
    connections = settings.database_pool
    store = Reservations(
        runtime.database, lease_seconds=settings.claim_seconds, deadline_seconds=settings.payment_deadline_seconds
    )

    async def through_booking() -> Round:
        async def begin(new: NewReservation) -> None:
            if await store.begin(new, "token") is None:
                raise RuntimeError("the reservation was refused")

        return await _round(runtime, [begin] * connections)

    pool = [await asyncpg.connect(settings.database_url, server_settings=PLANNED_ONCE) for _ in range(connections)]
    prepared = [await connection.prepare(_BEGIN) for connection in pool]

    async def bare() -> Round:
        def of(statement: Any) -> Callable[[NewReservation], Awaitable[None]]:
            async def begin(new: NewReservation) -> None:
                row = await statement.fetchrow(
                    new.id,
                    new.event_id,
                    new.visitor,
                    new.idempotency_key,
                    new.request_digest,
                    new.email,
                    new.language,
                    new.seats,
                    new.fence,
                    order_number(new.id, 1),
                    new.account.provider,
                    new.account.environment,
                    settings.payment_window_seconds,
                    GRACE_SECONDS,
                    "token",
                    settings.claim_seconds,
                    new.email,
                    None,
                    None,
                    None,
                )
                if row is None:
                    raise RuntimeError("the reservation was refused")

            return begin

        return await _round(runtime, [of(statement) for statement in prepared])

    try:
        await through_booking()  # warms caches and plans
        limit, ours = await alternate(rounds, bare, through_booking)
    finally:
        for connection in pool:
            await connection.close()
    detail = {
        "client_cpu_ms": 1000 / best_cpu(ours),
        "limit_client_cpu_ms": 1000 / best_cpu(limit),
        "connections": connections,
    }
    name = f"the statement alone, asyncpg, {connections} connections"
    return [Figure("reservations begun", best_wall(ours), "/s", best_wall(limit), name, 0.4, detail)]


async def _round(runtime: Runtime, workers: list[Callable[[NewReservation], Awaitable[None]]]) -> Round:
    event = await event_of(runtime, _RESERVATIONS)
    left = _new(event)

    async def work(begin: Callable[[NewReservation], Awaitable[None]]) -> None:
        for new in left:
            await begin(new)

    with Stopwatch() as watch:
        await asyncio.gather(*(work(begin) for begin in workers))
    async with raw(runtime.database) as connection:
        made = await connection.fetchval("SELECT count(*) FROM reservations WHERE event_id = $1", event.id)
        # What one round wrote is nothing that the next one has to wade through.
        await connection.execute(
            "DELETE FROM outbox WHERE reservation_id IN (SELECT id FROM reservations WHERE event_id = $1)", event.id
        )
        await connection.execute("DELETE FROM reservations WHERE event_id = $1", event.id)
    if made != _RESERVATIONS:
        raise RuntimeError(f"{made} reservations were made, not {_RESERVATIONS}")
    return watch.round(made)


def _new(event: Event) -> Iterator[NewReservation]:
    for seat in range(_RESERVATIONS):
        yield NewReservation(
            id=uuid4(),
            event_id=event.id,
            visitor=f"v_{seat:022d}",
            idempotency_key="key",
            request_digest="0" * 64,
            email=f"{seat}@example.org",
            language="en",
            seats=[seat],
            fence=_FENCE,
            account=Account("toss", "test:bench"),
        )
