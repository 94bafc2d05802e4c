"""Seat plans as sent: the store's body, compressed once for each plan and not once for each browser."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from core.process.once import Once
from core.venue.event import Event
from core.venue.event_store_postgres import EventStore, LoadedPlan
from web.caching import Body


class Plans:
    """Compressed bodies live as long as the event store keeps the plan: 8 MB for a large hall, 0.6 compressed."""

    def __init__(self, events: EventStore) -> None:
        self._events = events
        self._bodies: WeakKeyDictionary[LoadedPlan, Body] = WeakKeyDictionary()
        self._making = Once[Body]("plan body")

    async def body(self, event: Event) -> Body:
        """The answer of `GET /api/events/{slug}/plan`. Raises StoreUnavailable."""
        loaded = await self._events.loaded_plan(event)
        body = self._bodies.get(loaded)
        if body is None:

            async def compressed() -> Body:
                made = Body(loaded.body, event.plan_digest, "application/json")
                await asyncio.to_thread(made.zipped)
                self._bodies[loaded] = made
                return made

            body = await self._making(event.plan_digest, compressed)
        return body
