"""Events in PostgreSQL, read through a small cache, because nearly every request needs its event."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import asyncpg
import databases

from core.clock import Clock
from core.database import raw
from core.errors import CurrencyNotTaken, EventExists, EventNotFound, InvalidRequest, StoreUnavailable
from core.process.once import Once
from core.venue.event import DrawState, Event, Opening, Orphans, SaleStatus
from core.venue.fees import fee_table, stored_fees
from core.venue.new_event import NewEvent, check_closing, check_new_event, check_sale
from core.venue.phase import Phase, check_phases
from core.venue.plan_body import digest, plan_body
from core.venue.plan_document import parse_document
from core.venue.plan_import import build_plan, relabelled
from core.venue.seat_plan import SeatPlan

#: What an operator does to a sale reaches every process within this many seconds.
CACHE_SECONDS = 1.0

#: Plans that a process keeps: sales that run at the same time; a plan of 2,000 seats takes about 1.5 MB.
KEPT_PLANS = 32

# How long a request waits for a fresh event when an older one is at hand: PostgreSQL away or slow must not stop
# the waiting room and the holds, which need it for nothing else.
_PATIENCE_SECONDS = 0.5

_COLUMNS = (
    "id, slug, name, status, paused, opens_at, closes_at, starts_at, currency, prices, active_limit, hold_seconds, "
    "max_seats, seat_count, plan_digest, fee_table, time_zone, orphans, focus, prequeue_seconds, codes_version, "
    "cancelled_at, (SELECT jsonb_agg(jsonb_build_object('name', name, 'opens_at', opens_at, 'closes_at', closes_at, "
    "'prequeue_seconds', prequeue_seconds, 'code_group', code_group, 'quota', quota, 'max_seats', max_seats) "
    "ORDER BY opens_at, name) FROM phases WHERE phases.event_id = events.id) AS phases, "
    # The draw that is not over: it is read with the event, so that a join costs no call for it.
    "(SELECT jsonb_build_object('id', id, 'phase', phase, 'state', state, 'draw_at', draw_at, 'base', base, "
    "'reserved', reserved, 'created_at', created_at) FROM draws WHERE draws.event_id = events.id AND told_at IS NULL "
    "ORDER BY draw_at, id LIMIT 1) AS opening, "
    "EXISTS (SELECT FROM draws WHERE draws.event_id = events.id AND told_at IS NOT NULL) AS has_drawn"
)
_CHANGEABLE = frozenset(
    {
        "name",
        "active_limit",
        "paused",
        "hold_seconds",
        "max_seats",
        "opens_at",
        "closes_at",
        "starts_at",
        "time_zone",
        "orphans",
        "focus",
        "prequeue_seconds",
        "fees",
        "phases",
    }
)
_PHASE_COLUMNS = "name, opens_at, closes_at, prequeue_seconds, code_group, quota, max_seats"
_KEEP_PHASE = f"""
INSERT INTO phases (event_id, {_PHASE_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (event_id, name) DO UPDATE SET
    (opens_at, closes_at, prequeue_seconds, code_group, quota, max_seats) =
    (excluded.opens_at, excluded.closes_at, excluded.prequeue_seconds, excluded.code_group, excluded.quota,
     excluded.max_seats)
"""  # noqa: S608 - names of this module
_DROP_PHASES = "DELETE FROM phases WHERE event_id = $1 AND NOT name = ANY ($2::text[])"
_NAME_GROUPS = """
INSERT INTO code_groups (event_id, name, uses) SELECT $1, name, 1 FROM unnest($2::text[]) AS name
ON CONFLICT (event_id, name) DO NOTHING
"""


@dataclass(slots=True)
class _Cached:
    event: Event
    until: float


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class LoadedPlan:
    """A plan and the body of `GET /api/events/{slug}/plan`. What is made of it may live as long as it is kept."""

    plan: SeatPlan
    body: bytes


class EventStore:
    """Reads are at most `CACHE_SECONDS` old. Raises StoreUnavailable when PostgreSQL is away and nothing is cached."""

    def __init__(
        self, database: databases.Database, clock: Clock, takes: Callable[[str], bool] = lambda currency: True
    ) -> None:
        """`takes`: whether anybody who is paid with takes a currency: else a sale in it is not made, nor opened."""
        self._takes = takes
        self._database = database
        self._clock = clock
        self._cache: dict[str, _Cached] = {}
        self._slugs: dict[int, str] = {}
        self._reads = Once[Event]("event")
        self._plans: OrderedDict[str, LoadedPlan] = OrderedDict()
        self._loads = Once[LoadedPlan]("plan")

    async def get(self, slug: str) -> Event:
        """Raises EventNotFound. While PostgreSQL is away or slow, the last known event is given."""
        cached = self._cache.get(slug)
        if cached is not None and self._clock.monotonic() < cached.until:
            return cached.event
        read = partial(self._read, slug)
        if cached is None:
            return await self._reads(slug, read)
        try:
            return await self._reads(slug, read, limit=_PATIENCE_SECONDS)
        except (TimeoutError, StoreUnavailable):
            cached.until = self._clock.monotonic() + CACHE_SECONDS
            return cached.event

    async def fresh(self, slug: str) -> Event:
        """As it is in PostgreSQL now. Raises EventNotFound."""
        return await self._read(slug)

    async def by_id(self, event_id: int) -> Event:
        """Raises EventNotFound."""
        slug = self._slugs.get(event_id)
        if slug is None:
            async with raw(self._database) as connection:
                slug = await connection.fetchval("SELECT slug FROM events WHERE id = $1", event_id)
            if slug is None:
                raise EventNotFound()
            self._slugs[event_id] = slug
        return await self.get(slug)

    async def create(self, new: NewEvent, plan_document: bytes) -> Event:
        """Writes the event and its seats in one transaction.

        `plan_document` is a seating plan file's content. Raises PlanInvalid, InvalidRequest, EventExists,
        CurrencyNotTaken.
        """
        document, plan, body = await asyncio.to_thread(_prepare_plan, new, plan_document)
        new = new.labelled()
        check_closing(new.closes_at, self._clock.now())
        self._check_currency(new.currency, new.prices)
        async with raw(self._database, writes=True) as connection, connection.transaction():
            try:
                row = await connection.fetchrow(
                    "INSERT INTO events (slug, name, status, opens_at, closes_at, starts_at, currency, prices, "  # noqa: S608
                    "active_limit, hold_seconds, max_seats, seat_count, plan_digest, plan, time_zone, orphans, focus, "
                    "prequeue_seconds, fee_table) "
                    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) "
                    f"RETURNING {_COLUMNS}",
                    new.slug,
                    new.name.strip(),
                    new.status.value,
                    new.opens_at,
                    new.closes_at,
                    new.starts_at,
                    new.currency,
                    dict(new.prices),
                    new.active_limit,
                    new.hold_seconds,
                    new.max_seats,
                    len(plan.seats),
                    digest(body),
                    document,
                    new.time_zone,
                    new.orphans.value,
                    new.focus,
                    new.prequeue_seconds,
                    stored_fees(new.fees),
                    timeout=60,
                )
            except asyncpg.UniqueViolationError:
                raise EventExists(f"the event {new.slug!r} exists already: choose another slug") from None
            event = _event(row)
            if new.phases:
                await _keep_phases(connection, event.id, new.phases)
                event = _event(await connection.fetchrow(f"SELECT {_COLUMNS} FROM events WHERE id = $1", event.id))  # noqa: S608
            await connection.copy_records_to_table(
                "seats",
                columns=[
                    "event_id",
                    "ordinal",
                    "seat_guid",
                    "zone",
                    "row_label",
                    "seat_number",
                    "category",
                    "price",
                    "status",
                ],
                records=[
                    (
                        event.id,
                        n,
                        seat.guid,
                        seat.zone,
                        seat.row,
                        seat.number,
                        seat.category,
                        new.prices.get(seat.category, 0),
                        "BLOCKED" if seat.category in new.blocked else "AVAILABLE",
                    )
                    for n, seat in enumerate(plan.seats)
                ],
                timeout=120,
            )
        return self._keep(event)

    async def set_status(self, slug: str, status: SaleStatus) -> Event:
        """Opens, closes or schedules the sale. Raises EventNotFound, CurrencyNotTaken, ReopenTooLate."""
        if status is not SaleStatus.CLOSED:
            (await self._read(slug)).require_reopenable(self._clock.now())
        return await self._change(slug, {"status": status.value})

    async def update(self, slug: str, /, **changes: Any) -> Event:
        """Changes what `_CHANGEABLE` names; `fees` and `phases` as in `Event`: all there are from now on.

        Raises EventNotFound, InvalidRequest.
        """
        unknown = sorted(changes.keys() - _CHANGEABLE)
        if unknown:
            raise InvalidRequest(f"an event has no {unknown[0]!r} that can be changed")
        if not changes:
            return await self._read(slug)
        if "fees" in changes:
            changes["fee_table"] = stored_fees(changes.pop("fees"))
        return await self._change(slug, changes)

    async def plan(self, event: Event) -> SeatPlan:
        """The event's seats in ordinal order."""
        return (await self.loaded_plan(event)).plan

    async def loaded_plan(self, event: Event) -> LoadedPlan:
        """Plan and body; the `KEPT_PLANS` asked for last are kept, and each is read and built once for all who ask."""
        kept = self._plans.get(event.plan_digest)
        if kept is None:
            kept = await self._loads(event.plan_digest, partial(self._load_plan, event))
        if event.plan_digest in self._plans:
            self._plans.move_to_end(event.plan_digest)
        return kept

    async def prices(self, event: Event) -> Sequence[int]:
        """Each seat's price by ordinal, in the currency's minor unit; 0 for what is not for sale."""
        plan = await self.plan(event)
        return [event.prices.get(seat.category, 0) for seat in plan.seats]

    def doubt(self, slug: str) -> None:
        """The next `get` reads PostgreSQL, and gives what was known when that is away or slow."""
        if (cached := self._cache.get(slug)) is not None:
            cached.until = -math.inf

    def forget(self, slug: str) -> None:
        """The next `get` reads PostgreSQL, or fails."""
        self._cache.pop(slug, None)

    async def list(self) -> Sequence[Event]:
        """All events, by the time they start, then by age."""
        async with raw(self._database) as connection:
            rows = await connection.fetch(f"SELECT {_COLUMNS} FROM events ORDER BY starts_at NULLS LAST, id")  # noqa: S608
        return [self._keep(_event(row)) for row in rows]

    async def _read(self, slug: str) -> Event:
        async with raw(self._database) as connection:
            row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM events WHERE slug = $1", slug)  # noqa: S608
        if row is None:
            self.forget(slug)
            raise EventNotFound()
        return self._keep(_event(row))

    async def _change(self, slug: str, changes: dict[str, Any]) -> Event:
        async with raw(self._database, writes=True) as connection, connection.transaction():
            row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM events WHERE slug = $1 FOR UPDATE", slug)  # noqa: S608
            if row is None:
                raise EventNotFound()
            merged = {**row, **changes}
            check_closing(changes.get("closes_at"), self._clock.now())
            check_sale(
                **{
                    name: merged[name]
                    for name in (
                        "name",
                        "opens_at",
                        "closes_at",
                        "starts_at",
                        "active_limit",
                        "hold_seconds",
                        "max_seats",
                        "time_zone",
                        "focus",
                        "prequeue_seconds",
                    )
                }
            )
            if changes.get("status") == SaleStatus.OPEN or changes.get("opens_at") is not None:
                self._check_currency(row["currency"], row["prices"])
            phases = changes.pop("phases", None)
            if phases is not None:
                check_phases(phases)
                await _keep_phases(connection, row["id"], phases)
            # The names come from `_CHANGEABLE` and from this module, never from a caller.
            assigned = "".join(f"{name} = ${index}, " for index, name in enumerate(changes, start=2))
            row = await connection.fetchrow(
                f"UPDATE events SET {assigned}updated_at = now() WHERE slug = $1 RETURNING {_COLUMNS}",  # noqa: S608
                slug,
                *changes.values(),
            )
        return self._keep(_event(row))

    def _check_currency(self, currency: str, prices: Mapping[str, int]) -> None:
        """Raises CurrencyNotTaken."""
        if any(prices.values()) and not self._takes(currency):
            raise CurrencyNotTaken(f"No payment provider of this shop takes {currency}: see ONSALE_PAYMENT")

    def _keep(self, event: Event) -> Event:
        self._cache[event.slug] = _Cached(event, self._clock.monotonic() + CACHE_SECONDS)
        self._slugs[event.id] = event.slug
        return event

    async def _load_plan(self, event: Event) -> LoadedPlan:
        async with raw(self._database) as connection:
            document = await connection.fetchval("SELECT plan FROM events WHERE id = $1", event.id, timeout=60)
        if document is None:
            raise EventNotFound()
        plan = await asyncio.to_thread(build_plan, document)
        loaded = LoadedPlan(plan, await asyncio.to_thread(plan_body, plan, event.prices))
        self._plans[event.plan_digest] = loaded
        if len(self._plans) > KEPT_PLANS:
            self._plans.popitem(last=False)
        return loaded


def _prepare_plan(new: NewEvent, data: bytes) -> tuple[dict[str, Any], SeatPlan, bytes]:
    document = parse_document(data)
    plan = build_plan(document)
    check_new_event(new, plan)
    if new.labels:
        document = relabelled(document, new.labels)
        plan = build_plan(document)
    return document, plan, plan_body(plan, new.labelled().prices)


def _event(row: asyncpg.Record | None) -> Event:
    assert row is not None  # noqa: S101 - statements with RETURNING, and rows just locked
    values = dict(row)
    values["status"] = SaleStatus(values["status"])
    values["fees"] = fee_table(values.pop("fee_table"))
    values["orphans"] = Orphans(values["orphans"])
    values["focus"] = tuple(values["focus"]) if values["focus"] is not None else None
    values["phases"] = tuple(_phase(found) for found in values["phases"] or ())
    values["opening"] = _opening(values["opening"]) if values["opening"] else None
    return Event(**values)


async def _keep_phases(connection: asyncpg.Connection, event_id: int, phases: Sequence[Phase]) -> None:
    """A group that has no codes yet is made: nobody comes in by it until it has. What was sold in a phase that goes
    stays sold.
    """
    groups = list(dict.fromkeys(phase.code_group for phase in phases if phase.code_group is not None))
    await connection.execute(_NAME_GROUPS, event_id, groups)
    await connection.execute(_DROP_PHASES, event_id, [phase.name for phase in phases])
    for phase in phases:
        await connection.execute(
            _KEEP_PHASE,
            event_id,
            phase.name,
            phase.opens_at,
            phase.closes_at,
            phase.prequeue_seconds,
            phase.code_group,
            phase.quota,
            phase.max_seats,
        )


def _phase(found: dict[str, Any]) -> Phase:
    closes_at = found.pop("closes_at")
    return Phase(
        **found | {"opens_at": datetime.fromisoformat(found["opens_at"])},
        closes_at=datetime.fromisoformat(closes_at) if closes_at else None,
    )


def _opening(found: dict[str, Any]) -> Opening:
    times = {name: datetime.fromisoformat(found[name]) for name in ("draw_at", "created_at")}
    return Opening(**found | times | {"state": DrawState(found["state"])})
