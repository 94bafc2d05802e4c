"""Seat plans as sent: the store's body, compressed once for each plan and not once for each browser."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from core.venue.event import Event
from core.venue.event_store_postgres import EventStore
from web.caching import Body

#: Plans kept ready; a large hall is about 8 MB as JSON and 0.6 MB compressed.
_MOST_PLANS: Final = 16


class Plans:
    def __init__(self, events: EventStore) -> None:
        self._events = events
        self._bodies: OrderedDict[str, Body] = OrderedDict()

    async def body(self, event: Event) -> Body:
        """The answer of `GET /api/events/{slug}/plan`. Raises StoreUnavailable."""
        known = self._bodies.get(event.plan_digest)
        if known is not None:
            self._bodies.move_to_end(event.plan_digest)
            return known
        body = Body(await self._events.plan_json(event), event.plan_digest, "application/json")
        await asyncio.to_thread(body.zipped)
        self._bodies[event.plan_digest] = body
        if len(self._bodies) > _MOST_PLANS:
            self._bodies.popitem(last=False)
        return body
