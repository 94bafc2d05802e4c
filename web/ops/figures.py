"""Everything that the live page shows, in one body; asked each second by every open console, read once a second.

Each part is asked for at once and waited for a second: at 2 a.m. half a page is better than none, and which half is
missing says which store is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

import databases
from redis.asyncio import Redis
from starlette.responses import Response

from core.database import raw
from core.diagnosis.health_watch import HealthWatch
from core.errors import EventNotFound, OnsaleError, StoreUnavailable
from core.figures.checkouts_postgres import Checkouts, checkouts
from core.figures.history_redis import FIELDS
from core.figures.sale_redis import Admission as AdmissionFigures
from core.figures.sale_redis import admission
from core.figures.vitals_redis import Vitals, last_successes, worst_fanout
from core.messaging.sales_projection_postgres import SalesFigures, sales_figures
from core.process.store_redis import REDIS_LOST
from core.seats.board import BoardSnapshot, SeatState
from core.upkeep.load_redis import Reading
from core.venue.event import Event
from core.venue.event_store_postgres import EventStore
from core.waiting_room.sizes_redis import sizes
from web.api_events import pictures_of
from web.endpoint import Call, Caller, Endpoint, answer
from web.health_checks import examine
from web.ops.circuits import circuits_of
from web.ops.figures_schemas import (
    Admission,
    AlertFigures,
    CategorySales,
    CheckoutFigures,
    EventsLag,
    JobFigures,
    LockState,
    Overview,
    ProcessFigures,
    SaleFigures,
    SaleHistory,
    Sales,
    SalesMinute,
    SaleSummary,
    SeatCounts,
)
from web.ops.schemas import Session

T = TypeVar("T")

#: What one part may take, in seconds.
PATIENCE: Final = 1.0

#: Which store a part comes from.
_STORE: Final = {
    "admission": "redis",
    "board": "redis",
    "vitals": "redis",
    "load": "redis",
    "sales": "postgresql",
    "checkouts": "postgresql",
    "lag": "postgresql",
    "sold": "postgresql",
    "events": "postgresql",
    "sizes": "redis",
}

_LAG = """
SELECT count(*) AS unsent, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float AS seconds,
       (SELECT count(*) FROM dead_letters WHERE retried_at IS NULL AND discarded_at IS NULL) AS dead
FROM outbox WHERE sent_at IS NULL
"""
_SOLD = "SELECT event_id, sum(sold)::bigint AS sold FROM sales_by_category GROUP BY event_id"


class _PartialResult:
    """Parts asked for at once, each with its limit; those that did not come are None, and their stores in `away`."""

    def __init__(self, call: Call[None], about: str) -> None:
        self._probes = call.parts.probes
        self._about = about
        self.away: set[str] = set()

    async def get(self, name: str, question: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        try:
            found: T = await self._probes(f"ops {name} {self._about}", question, limit=PATIENCE)
        except (OnsaleError, TimeoutError, *REDIS_LOST):
            self.away.add(_STORE[name])
            return None
        return found


async def figures(call: Call[None]) -> Response:
    event = await call.event()
    return await _kept(call, f"figures {event.slug}", partial(_figures, call, event))


async def _figures(call: Call[None], event: Event) -> SaleFigures:
    parts, asked = call.parts, _PartialResult(call, event.slug)
    async with asyncio.TaskGroup() as group:
        admitted = group.create_task(asked.get("admission", partial(admission, parts.redis, event.slug)))
        board = group.create_task(asked.get("board", partial(parts.seats.board, event)))
        sales = group.create_task(asked.get("sales", partial(sales_figures, parts.database, event.id)))
        ended = group.create_task(asked.get("checkouts", partial(checkouts, parts.database, event.id)))
        lag = group.create_task(asked.get("lag", partial(_lag, parts.database)))
        vitals_task = group.create_task(asked.get("vitals", parts.vitals.all))
        load = group.create_task(asked.get("load", parts.load.fresh))
    vitals = vitals_task.result()
    now = parts.clock.now()
    return SaleFigures(
        slug=event.slug,
        name=event.name,
        status=event.sale_state(now).value,
        paused=event.paused,
        currency=event.currency,
        seats=event.seat_count,
        active_limit=event.active_limit,
        seat_guard=parts.terms.seat_guard,
        now=now,
        away=sorted(asked.away),
        admission=_admission(admitted.result()),
        board=_counts(board.result()),
        sales=_sales(sales.result(), now),
        checkouts=_ended(ended.result()),
        circuits=circuits_of(parts.payments),
        events=lag.result(),
        fanout_p95_ms=worst_fanout(vitals) if vitals else None,
        channels=sum(one.channels for one in vitals) if vitals is not None else None,
        processes=_processes(vitals, load.result()),
        jobs=_jobs(vitals, now.timestamp()),
        alerts=alerts_of(parts.watch),
    )


async def _lag(database: databases.Database) -> EventsLag:
    async with raw(database) as connection:
        row = await connection.fetchrow(_LAG)
    assert row is not None  # noqa: S101 - an aggregate always has its row
    return EventsLag(unsent=row["unsent"], oldest_seconds=round(row["seconds"], 1), dead_letters=row["dead"])


def _admission(admitted: AdmissionFigures | None) -> Admission | None:
    return Admission(**asdict(admitted)) if admitted else None


def _counts(board: BoardSnapshot | None) -> SeatCounts | None:
    if board is None:
        return None
    return SeatCounts(**{state.name.lower(): board.states.count(state) for state in SeatState})


def _ended(ended: Checkouts | None) -> CheckoutFigures | None:
    return CheckoutFigures(**asdict(ended)) if ended else None


def _sales(found: SalesFigures | None, now: datetime) -> Sales | None:
    if found is None:
        return None
    last = now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    return Sales(
        sold=found.sold,
        revenue=found.revenue,
        last_minute=found.by_minute[last].sold if last in found.by_minute else 0,
        by_minute=[
            SalesMinute(at=at, sold=tally.sold, returned=tally.returned, revenue=tally.revenue - tally.refunded)
            for at, tally in found.by_minute.items()
        ],
        by_category=[
            CategorySales(category=name, sold=sold, revenue=revenue)
            for name, (sold, revenue) in found.by_category.items()
        ],
    )


def _processes(vitals: Sequence[Vitals] | None, load: Sequence[Reading] | None) -> list[ProcessFigures] | None:
    if vitals is None:
        return None
    loads = {reading.process: reading for reading in load or ()}
    found = []
    for one in vitals:
        reading = loads.get(one.process)
        found.append(
            ProcessFigures(
                process=one.process,
                host=one.host,
                pid=one.pid,
                channels=one.channels,
                broadcasts=one.broadcasts,
                fanout_p95_ms=one.fanout_p95_ms,
                cpu=reading.cpu if reading else None,
                memory=reading.memory if reading else None,
                pool=reading.pool if reading else None,
                locks=LockState(**asdict(one.locks)),
            )
        )
    return found


def _jobs(vitals: Sequence[Vitals] | None, now: float) -> list[JobFigures] | None:
    if vitals is None:
        return None
    return [
        JobFigures(name=name, seconds_ago=round(max(0.0, now - at), 1))
        for name, at in sorted(last_successes(vitals).items())
    ]


def alerts_of(watch: HealthWatch) -> list[AlertFigures]:
    return [
        AlertFigures(
            name=alert.name,
            subject=alert.subject,
            severity=alert.severity,
            since=alert.since,
            detail=alert.detail,
            action=alert.action,
            key=alert.said["key"] if alert.said else None,
            arguments=alert.said["arguments"] if alert.said else {},
        )
        for alert in watch.firing()
    ]


async def overview(call: Call[None]) -> Response:
    return await _kept(call, "overview", partial(_overview, call))


async def _overview(call: Call[None]) -> Overview:
    parts, asked = call.parts, _PartialResult(call, "all")
    components, (events, present), sold, lag = await asyncio.gather(
        examine(parts.probes, parts.checks),
        _waiting_and_active(parts.events, parts.redis, asked),
        asked.get("sold", partial(_sold, parts.database)),
        asked.get("lag", partial(_lag, parts.database)),
    )
    now = parts.clock.now()
    return Overview(
        now=now,
        status=components.status,
        components=components.components,
        sales=None
        if events is None
        else [
            SaleSummary(
                slug=event.slug,
                name=event.name,
                status=event.sale_state(now).value,
                paused=event.paused,
                starts_at=event.starts_at,
                time_zone=event.time_zone,
                venue=event.venue,
                picture=next(iter(pictures_of(event)), None),
                seats=event.seat_count,
                active_limit=event.active_limit,
                waiting=present.get(event.slug, (None, None))[0],
                active=present.get(event.slug, (None, None))[1],
                sold=None if sold is None else sold.get(event.id, 0),
            )
            for event in events
        ],
        circuits=circuits_of(parts.payments),
        alerts=alerts_of(parts.watch),
        dead_letters=lag.dead_letters if lag else None,
    )


async def _waiting_and_active(
    store: EventStore, redis: Redis, asked: _PartialResult
) -> tuple[Sequence[Event] | None, Mapping[str, tuple[int, int]]]:
    """The events; (waiting, active) of each by slug."""
    events = await asked.get("events", store.list)
    slugs = [event.slug for event in events or ()]
    counts = await asked.get("sizes", partial(sizes, redis, slugs))
    return events, dict(zip(slugs, counts, strict=True)) if counts is not None else {}


async def _sold(database: databases.Database) -> dict[int, int]:
    async with raw(database) as connection:
        return {row["event_id"]: row["sold"] for row in await connection.fetch(_SOLD)}


async def history(call: Call[None]) -> Response:
    event = await call.event()
    try:
        samples = await call.parts.probes(
            f"ops history {event.slug}", partial(call.parts.history.of, event.slug), limit=PATIENCE
        )
    except TimeoutError:
        raise StoreUnavailable(retry_after=2) from None
    return answer(SaleHistory(fields=list(FIELDS), samples=[list(sample) for sample in samples]))


async def _kept(
    call: Call[None], name: str, make: Callable[[], Coroutine[Any, Any, SaleFigures | Overview]]
) -> Response:
    body = await call.parts.kept.get(name, partial(_encoded, make))
    return Response(body, media_type="application/json")


async def _encoded(make: Callable[[], Coroutine[Any, Any, SaleFigures | Overview]]) -> bytes:
    return (await make()).model_dump_json().encode()


async def session(call: Call[None]) -> Response:
    """The console's sign-in page asks: a link in Slack opens it without the cookie, because that is `Strict`."""
    assert call.operator is not None, "an operator's call"  # noqa: S101
    return answer(Session(name=call.operator.name, by=call.operator.by))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/operator/session",
        session,
        "Who the caller is",
        "operator",
        answer=Session,
        caller=Caller.OPERATOR,
        uses_stores=False,
    ),
    Endpoint(
        "GET",
        "/api/operator/overview",
        overview,
        "All sales, health, circuits and alerts",
        "operator",
        answer=Overview,
        caller=Caller.OPERATOR,
        uses_stores=False,
    ),
    Endpoint(
        "GET",
        "/api/operator/events/{slug}/figures",
        figures,
        "Everything that the live page of a sale shows",
        "operator",
        answer=SaleFigures,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound,),
    ),
    Endpoint(
        "GET",
        "/api/operator/events/{slug}/history",
        history,
        "The last hour of a sale, for charts",
        "operator",
        answer=SaleHistory,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound,),
    ),
)
