"""Seat plans as sent: whole, and in columns. Made and compressed once for each plan, and before the crowd comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakKeyDictionary

import structlog

from core.clock import Clock
from core.errors import OnsaleError
from core.process.once import Once
from core.process.tasks import cancelled
from core.venue.event import Event, SaleState
from core.venue.event_store_postgres import EventStore, LoadedPlan
from core.venue.plan_columns import FORMAT, plan_columns
from web.caching import Body

log = structlog.get_logger(__name__)

#: How long before its opening a sale's plan is made ready.
AHEAD: Final = timedelta(minutes=15)
#: Seconds between two looks at what opens soon.
LOOK_SECONDS: Final = 20.0
#: Sales whose plans are made ready at the same time. The others' are made when somebody asks.
MOST_READY: Final = 8

_TYPE: Final = "application/json"


class Plans:
    """Bodies live as long as the event store keeps the plan: 10 MB for 60,000 seats, up to 1.5 in each coding."""

    def __init__(self, events: EventStore, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._whole = _Bodies(lambda event, loaded: Body(loaded.body, event.plan_digest, _TYPE))
        self._columns = _Bodies(
            lambda event, loaded: Body(
                plan_columns(loaded.plan, event.prices), f"{event.plan_digest}-columns-{FORMAT}", _TYPE
            )
        )

    async def body(self, event: Event) -> Body:
        """The answer of `GET /api/events/{slug}/plan`. Raises StoreUnavailable."""
        return await self._whole.of(event, await self._events.loaded_plan(event))

    async def columns(self, event: Event) -> Body:
        """The answer of `GET /api/events/{slug}/plan/columns`. Raises StoreUnavailable."""
        return await self._columns.of(event, await self._events.loaded_plan(event))

    async def keep_ready(self) -> None:
        """For ever: the columns of what is sold, or opens soon, are there before the first browser asks (V1)."""
        while not cancelled():
            with contextlib.suppress(OnsaleError):
                for event in due(await self._events.list(), self._clock.now()):
                    await self._ready(event)
            await asyncio.sleep(LOOK_SECONDS)

    async def _ready(self, event: Event) -> None:
        try:
            await self.columns(event)
        except OnsaleError:
            raise
        except Exception:
            # One plan that cannot be made must not keep the others waiting.
            log.exception("plan not made ready", event=event.slug)


def due(events: Sequence[Event], now: datetime) -> list[Event]:
    """Those whose sale is open or opens within `AHEAD`; the open ones first, `MOST_READY` at most."""
    opened = [event for event in events if event.sale_state(now) is SaleState.OPEN]
    soon = [
        event
        for event in events
        if event.sale_state(now) is SaleState.BEFORE and event.sale_state(now + AHEAD) is SaleState.OPEN
    ]
    return [*opened, *soon][:MOST_READY]


class _Bodies:
    """One form of each plan; `make` runs in a thread, once for all who ask meanwhile."""

    def __init__(self, make: Callable[[Event, LoadedPlan], Body]) -> None:
        self._make = make
        self._bodies: WeakKeyDictionary[LoadedPlan, Body] = WeakKeyDictionary()
        self._making = Once[Body]("plan body")

    async def of(self, event: Event, loaded: LoadedPlan) -> Body:
        body = self._bodies.get(loaded)
        if body is None:

            async def made() -> Body:
                def work() -> Body:
                    body = self._make(event, loaded)
                    body.compress()
                    return body

                self._bodies[loaded] = body = await asyncio.to_thread(work)
                return body

            body = await self._making(event.plan_digest, made)
        return body
