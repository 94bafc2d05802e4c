"""The statement that makes a reservation, beside itself without the guard of one buyer's share (F3).

And beside a plain transition: one connection, one statement after the other.
"""

from __future__ import annotations

import secrets
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from bench.measure import Figure, Round, Stopwatch, alternate, best_wall
from bench.stores import PLANNED_ONCE, event_of
from core.booking.attempt import GRACE_SECONDS, MOST_REFUSED_KEYS, AttemptState, confirm_key, order_number
from core.booking.reservation import TRANSITIONS, Change
from core.booking.statements_postgres import STATEMENTS, fetch_row
from core.runtime import Runtime
from core.settings import Settings
from core.venue.event import Event

#: Reservations of one round, each of a seat and a buyer of its own.
_RESERVATIONS: Final = 600
_FENCE: Final = 1_000_000


async def begin(runtime: Runtime, *, rounds: int = 5) -> list[Figure]:
    connection = await asyncpg.connect(runtime.settings.database_url, server_settings=PLANNED_ONCE)
    guarded = await connection.prepare(STATEMENTS["begin"])
    unguarded = await connection.prepare(without_guard(STATEMENTS["begin"]))
    steps = {name: await connection.prepare(STATEMENTS[name]) for name in ("bind", "called", "transition")}

    async def made_by(statement: Any) -> Round:
        event = await event_of(runtime, _RESERVATIONS)
        with Stopwatch() as watch:
            for seat in range(_RESERVATIONS):
                if await statement.fetchrow(*beginning(runtime.settings, event, uuid4(), seat)) is None:
                    raise RuntimeError("a reservation was refused")
        await forget(runtime, event)
        return watch.round(_RESERVATIONS)

    async def confirmed() -> Round:
        event = await event_of(runtime, _RESERVATIONS)
        orders = []
        for seat in range(_RESERVATIONS):
            id = uuid4()
            await guarded.fetchrow(*beginning(runtime.settings, event, id, seat))
            orders.append(await _called(runtime.settings, steps, id))
        with Stopwatch() as watch:
            for order in orders:
                if await steps["transition"].fetchrow(*confirmation(runtime.settings, order)) is None:
                    raise RuntimeError("a confirmation was refused")
        await forget(runtime, event)
        return watch.round(_RESERVATIONS)

    try:
        await made_by(guarded)  # warms caches and plans
        limit, ours, plain = await alternate(rounds, lambda: made_by(unguarded), lambda: made_by(guarded), confirmed)
    finally:
        await connection.close()
    pace, detail = best_wall(ours), {"connections": 1}
    return [
        Figure(
            "reservations begun", pace, "/s", best_wall(limit), "the same statement without the guard", None, detail
        ),
        Figure("reservations begun", pace, "/s", best_wall(plain), "a plain transition (confirm)"),
    ]


def without_guard(statement: str) -> str:
    """`begin.sql` without what it asks about the buyer, the phase and the code."""
    first, last = statement.index("CASE WHEN seats_of_visitor"), statement.index("), offer AS MATERIALIZED")
    return f"{statement[:first]}true\n{statement[last:]}"


def beginning(settings: Settings, event: Event, id: UUID, seat: int) -> tuple[object, ...]:
    """Of `begin.sql`, for one seat and a buyer who has nothing else."""
    email = f"{seat}@example.org"
    return (
        id,
        event.id,
        f"v_{seat:022d}",
        "key",
        "0" * 64,
        email,
        "en",
        [seat],
        _FENCE,
        order_number(id, 1),
        "toss",
        "test:bench",
        settings.payment_window_seconds,
        GRACE_SECONDS,
        "token",
        settings.claim_seconds,
        email,
        None,
        None,
        None,
    )


async def _called(settings: Settings, steps: dict[str, Any], id: UUID) -> str:
    """The order, come so far that only its confirmation is left."""
    order, key, lease = order_number(id, 1), f"key-{order_number(id, 1)}", settings.claim_seconds
    await steps["bind"].fetchrow(order, key, "{}", "token", lease, GRACE_SECONDS, MOST_REFUSED_KEYS)
    deadline = settings.payment_deadline_seconds
    if await steps["called"].fetchrow(order, "token", confirm_key(order, key), deadline, lease) is None:
        raise RuntimeError("a step before the confirmation was refused")
    return order


def confirmation(settings: Settings, order: str) -> tuple[object, ...]:
    """Of `transition.sql`, for a charge that was approved."""
    rule = TRANSITIONS[Change.CONFIRM]
    return (
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
        settings.claim_seconds,
        f"key-{order}",
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


async def forget(runtime: Runtime, event: Event) -> None:
    """What one round wrote is nothing that the next one has to wade through."""
    outbox = "DELETE FROM outbox WHERE reservation_id IN (SELECT id FROM reservations WHERE event_id = $1)"
    for statement in (outbox, "DELETE FROM reservations WHERE event_id = $1"):
        # As the product's own: a sale that is served meanwhile relays these rows, and may be the one that goes on.
        await fetch_row(runtime.database, statement, event.id)
