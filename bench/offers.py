"""The waiting list: joining it over HTTP, and a round that offers returned seats to those who wait longest.

The limit of joining is a bare Starlette answer; of a round, the statement that makes one offer, for each of them in one
transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

from bench.load import Job
from bench.measure import Effort, Figure, Round, Stopwatch, alternate, best_wall
from bench.public_path import ANSWER, bare_calls
from bench.served import CONNECTIONS, Served
from bench.served_row import Kind, ServedRow, Taken, cost, of_served
from bench.stores import event_of
from core.database import raw
from core.runtime import Runtime
from core.venue.event import Event
from core.waiting_list.rounds_postgres import _OFFER
from core.waiting_list.waiting_list import Asked

#: Seats that came back, and as many wishes for one each: fewer than one round looks at.
_SEATS: Final = 500
_AT_ONCE: Final = 50


def _join(served: Served, effort: Effort) -> Kind:
    """New visitors, each with an address of its own."""
    slug, count = served.event(2000), effort.of(1500)
    path = f"/api/events/{slug}/returns"
    names = iter(range(10_000_000))

    def once() -> Taken:
        works = [
            served.call("POST", path, token, {"count": 1, "email": f"{slug}-{next(names)}@example.org"})
            for token in served.visitors(count)
        ]
        return of_served(served, Job(served.port, works, CONNECTIONS), 201)

    return once


ROWS: Final = (
    ServedRow("list-join", _join, bare_calls(8000, b'{"count":1}'), cost("waiting list, join", ANSWER, None)),
)


async def offers(runtime: Runtime, effort: Effort) -> list[Figure]:
    count = effort.of(2 * _SEATS, most=_SEATS)

    async def by_round() -> Round:
        event, _ = await _waiting(runtime, count)
        with Stopwatch() as watch:
            await runtime.waiting_list.rounds.of_event(event)
        return await _checked(runtime, event, watch.round(count))

    async def by_statement() -> Round:
        event, wishes = await _waiting(runtime, count)
        with Stopwatch() as watch:
            async with raw(runtime.database, writes=True) as connection, connection.transaction():
                for seat, wish in enumerate(wishes):
                    await connection.fetchval(_OFFER, uuid4(), event.id, wish, [seat], 3600.0, None)
        return await _checked(runtime, event, watch.round(count))

    limit, ours = await alternate(effort.rounds, by_statement, by_round)
    name = "the offer's statement alone, one after the other"
    return [Figure("waiting list, offers of a round", best_wall(ours), "/s", best_wall(limit), name)]


async def _waiting(runtime: Runtime, count: int) -> tuple[Event, Sequence[Any]]:
    """A sale whose seats all came back, and as many wishes, in their order."""
    event = await event_of(runtime, count)
    left = iter(range(count))

    async def join() -> None:
        for number in left:
            asked = Asked(1, None, f"{event.slug}-{number}@example.org", "en", "n")
            await runtime.waiting_list.waiting_list.join(event, f"v_{number:022d}", asked)

    await asyncio.gather(*(join() for _ in range(_AT_ONCE)))
    async with raw(runtime.database, writes=True) as connection:
        await connection.execute("UPDATE seats SET status = 'RETURNED' WHERE event_id = $1", event.id)
        await connection.execute(
            "INSERT INTO returned_seats (event_id, ordinal) SELECT event_id, ordinal FROM seats WHERE event_id = $1",
            event.id,
        )
        rows = await connection.fetch("SELECT id FROM wishes WHERE event_id = $1 ORDER BY number", event.id)
    return event, [row["id"] for row in rows]


async def _checked(runtime: Runtime, event: Event, round_: Round) -> Round:
    """Every seat is on offer; then the sale is over, so that no later round looks at it."""
    async with raw(runtime.database, writes=True) as connection:
        made = await connection.fetchval("SELECT count(*) FROM offers WHERE event_id = $1 AND state = 'OPEN'", event.id)
        await connection.execute("DELETE FROM returned_seats WHERE event_id = $1", event.id)
        await connection.execute("DELETE FROM offers WHERE event_id = $1", event.id)
    if made != round_.count:
        raise RuntimeError(f"{made} offers were made, not {round_.count}")
    return round_
