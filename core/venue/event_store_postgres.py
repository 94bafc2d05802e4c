"""Events in PostgreSQL, read through a small cache, because nearly every request needs its event."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
import databases

from core.clock import Clock
from core.database import raw
from core.errors import (
    CurrencyNotTaken,
    EventExists,
    EventNotFound,
    InvalidRequest,
    PictureNotFound,
    StoreUnavailable,
)
from core.process.bounded import Bounded
from core.process.once import Once
from core.venue.event import Event, SaleStatus
from core.venue.event_name import kept_text
from core.venue.event_rows_postgres import COLUMNS, event_of, keep_phases, keep_pictures
from core.venue.fees import stored_fees
from core.venue.new_event import NewEvent, check_closing, check_sale
from core.venue.phase import check_phases
from core.venue.picture import Rendition
from core.venue.plan_body import plan_body
from core.venue.plan_check import SEAT_COLUMNS, prepare
from core.venue.plan_import import stored_plan
from core.venue.seat_plan import PlanWarning, SeatPlan
from core.venue.zone_change import moved_times

#: What an operator does to a sale reaches every process within this many seconds.
CACHE_SECONDS = 1.0

#: Plans that a process keeps: sales that run at the same time; a plan of 2,000 seats takes about 1.5 MB.
KEPT_PLANS = 32

# How long a request waits for a fresh event when an older one is at hand: PostgreSQL away or slow must not stop
# the waiting room and the holds, which need it for nothing else.
_PATIENCE_SECONDS = 0.5

_CHANGEABLE = frozenset(
    {
        "name",
        "venue",
        "address",
        "description",
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
        "companions",
        "prequeue_seconds",
        "fees",
        "phases",
    }
)


@dataclass(slots=True)
class _Cached:
    event: Event
    until: float


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class LoadedPlan:
    """A plan and the body of `GET /api/events/{slug}/plan`. What is made of it may live as long as it is kept."""

    plan: SeatPlan
    body: bytes


@dataclass(frozen=True, slots=True)
class MadeEvent:
    """A new event, and what its plan's organiser is told: `more_warnings` are not listed."""

    event: Event
    warnings: Sequence[PlanWarning]
    more_warnings: int


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
        self._plans: Bounded[str, LoadedPlan] = Bounded(KEPT_PLANS)
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
        """`make`, for whom the plan's warnings are nothing new."""
        return (await self.make(new, plan_document)).event

    async def make(self, new: NewEvent, plan_document: bytes) -> MadeEvent:
        """Writes the event and its seats in one transaction.

        `plan_document` is a seating plan file's content. Raises PlanInvalid, InvalidRequest, EventExists,
        CurrencyNotTaken.
        """
        plan = await prepare(new, plan_document)
        new = new.labelled()
        check_closing(new.closes_at, self._clock.now())
        self._check_currency(new.currency, new.prices)
        async with raw(self._database, writes=True) as connection, connection.transaction():
            try:
                row = await connection.fetchrow(
                    "INSERT INTO events (slug, name, status, opens_at, closes_at, starts_at, currency, prices, "  # noqa: S608
                    "active_limit, hold_seconds, max_seats, seat_count, plan_digest, plan, time_zone, orphans, focus, "
                    "prequeue_seconds, fee_table, venue, address, description, companions) "
                    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::text::jsonb, $15, $16, $17, "
                    "$18, $19, "
                    "$20, $21, $22, $23) "
                    f"RETURNING {COLUMNS}",
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
                    plan.digest,
                    plan.document,
                    new.time_zone,
                    new.orphans.value,
                    new.focus,
                    new.prequeue_seconds,
                    stored_fees(new.fees),
                    kept_text(new.venue),
                    kept_text(new.address),
                    kept_text(new.description),
                    new.companions,
                    timeout=60,
                )
            except asyncpg.UniqueViolationError:
                raise EventExists(f"the event {new.slug!r} exists already: choose another slug") from None
            event = event_of(row)
            if new.phases or new.pictures:
                await keep_phases(connection, event.id, new.phases)
                await keep_pictures(connection, event.id, new.pictures)
                event = event_of(await connection.fetchrow(f"SELECT {COLUMNS} FROM events WHERE id = $1", event.id))  # noqa: S608
            await connection.copy_records_to_table(
                "seats",
                columns=["event_id", *SEAT_COLUMNS],
                records=((event.id, *seat) for seat in plan.seats),
                timeout=120,
            )
        return MadeEvent(self._keep(event), plan.warnings, plan.more_warnings)

    async def set_status(self, slug: str, status: SaleStatus) -> Event:
        """Opens, closes or schedules the sale. Raises EventNotFound, CurrencyNotTaken, ReopenTooLate."""
        if status is not SaleStatus.CLOSED:
            (await self._read(slug)).require_reopenable(self._clock.now())
        return await self._change(slug, {"status": status.value})

    async def update(self, slug: str, /, **changes: Any) -> Event:
        """Changes what `_CHANGEABLE` names; `fees` and `phases` as in `Event`: all there are from now on.

        With another `time_zone`, times that are not named keep what the clocks show (`zone_change`).

        Raises EventNotFound, InvalidRequest.
        """
        unknown = sorted(changes.keys() - _CHANGEABLE)
        if unknown:
            raise InvalidRequest(f"an event has no {unknown[0]!r} that can be changed")
        if not changes:
            return await self._read(slug)
        for name in ("venue", "address", "description"):
            if name in changes:
                changes[name] = kept_text(changes[name])
        if "fees" in changes:
            changes["fee_table"] = stored_fees(changes.pop("fees"))
        return await self._change(slug, changes)

    async def set_pictures(self, slug: str, renditions: Sequence[Rendition]) -> Event:
        """The event's picture in each width, from now on; none takes it away. Raises EventNotFound."""
        async with raw(self._database, writes=True) as connection, connection.transaction():
            event_id = await connection.fetchval("SELECT id FROM events WHERE slug = $1 FOR UPDATE", slug)
            if event_id is None:
                raise EventNotFound()
            await keep_pictures(connection, event_id, renditions)
            row = await connection.fetchrow(f"SELECT {COLUMNS} FROM events WHERE id = $1", event_id)  # noqa: S608
        return self._keep(event_of(row))

    async def picture(self, digest: str) -> bytes:
        """The JPEG file that an event shows under this name. Raises PictureNotFound."""
        async with raw(self._database) as connection:
            content: bytes | None = await connection.fetchval(
                "SELECT content FROM event_pictures WHERE digest = $1 LIMIT 1", digest
            )
        if content is None:
            raise PictureNotFound()
        return content

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
            rows = await connection.fetch(f"SELECT {COLUMNS} FROM events ORDER BY starts_at NULLS LAST, id")  # noqa: S608
        return [self._keep(event_of(row)) for row in rows]

    async def _read(self, slug: str) -> Event:
        async with raw(self._database) as connection:
            row = await connection.fetchrow(f"SELECT {COLUMNS} FROM events WHERE slug = $1", slug)  # noqa: S608
        if row is None:
            self.forget(slug)
            raise EventNotFound()
        return self._keep(event_of(row))

    async def _change(self, slug: str, changes: dict[str, Any]) -> Event:
        async with raw(self._database, writes=True) as connection, connection.transaction():
            row = await connection.fetchrow(f"SELECT {COLUMNS} FROM events WHERE slug = $1 FOR UPDATE", slug)  # noqa: S608
            if row is None:
                raise EventNotFound()
            event, asked, now = event_of(row), changes, self._clock.now()
            changes = changes | moved_times(event, changes, now)
            merged = {**row, **changes}
            if "closes_at" in asked or (event.closes_at is not None and event.closes_at > now):
                check_closing(changes.get("closes_at"), now)
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
                        "companions",
                        "prequeue_seconds",
                        "venue",
                        "address",
                        "description",
                    )
                }
            )
            if asked.get("status") == SaleStatus.OPEN or asked.get("opens_at") is not None:
                self._check_currency(row["currency"], row["prices"])
            phases = changes.pop("phases", None)
            if phases is not None:
                check_phases(phases)
                await keep_phases(connection, row["id"], phases)
            # The names come from `_CHANGEABLE` and from this module, never from a caller.
            assigned = "".join(f"{name} = ${index}, " for index, name in enumerate(changes, start=2))
            row = await connection.fetchrow(
                f"UPDATE events SET {assigned}updated_at = now() WHERE slug = $1 RETURNING {COLUMNS}",  # noqa: S608
                slug,
                *changes.values(),
            )
        return self._keep(event_of(row))

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
        plan = await asyncio.to_thread(stored_plan, document)
        loaded = LoadedPlan(plan, await asyncio.to_thread(plan_body, plan, event.prices))
        self._plans.keep(event.plan_digest, loaded)
        return loaded
