"""The sweep of every event: sessions, silent visitors and baskets end, the head of the queue comes in (S8, S9)."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from prometheus_client import Counter

from core.clock import Clock
from core.errors import StoreUnavailable
from core.venue.event import Event, SaleState
from core.venue.event_store_postgres import EventStore
from core.waiting_room.place import SweepReport
from core.waiting_room.queue_redis import WaitingRoom

log = structlog.get_logger(__name__)

ENDED = Counter("onsale_visitors_out", "Visitors who are out, by reason", ["event", "reason"])
ADMITTED = Counter("onsale_visitors_admitted", "Visitors let in by a sweep", ["event"])
LAPSED = Counter("onsale_baskets_lapsed", "Baskets whose time ran out", ["event"])


class Sweeping:
    """The body of the `sweep` job. One round sweeps every event that has anything to sweep."""

    def __init__(self, *, events: EventStore, waiting_room: WaitingRoom, clock: Clock) -> None:
        self._events = events
        self._waiting_room = waiting_room
        self._clock = clock
        self._known: Sequence[Event] = ()
        # Closed sales that have been emptied: nothing happens to them until they open again.
        self._finished: set[int] = set()

    async def run(self) -> None:
        """Raises StoreUnavailable when Redis is away. PostgreSQL away: the events known last are swept."""
        try:
            self._known = await self._events.list()
        except StoreUnavailable:
            log.warning("sweeping the events known last: PostgreSQL is away")
        for event in self._known:
            await self._sweep(event)

    async def _sweep(self, event: Event) -> None:
        state = event.sale_state(self._clock.now())
        if state is SaleState.BEFORE:
            return
        closed = state is SaleState.CLOSED
        if not closed:
            self._finished.discard(event.id)
        elif event.id in self._finished:
            return
        report = await self._waiting_room.sweep(event)
        self._measure(event, report)
        if closed and not report.waiting and not report.active:
            self._finished.add(event.id)

    def _measure(self, event: Event, report: SweepReport) -> None:
        ADMITTED.labels(event.slug).inc(report.admitted)
        LAPSED.labels(event.slug).inc(report.lapsed)
        for reason, count in (
            ("session", report.sessions_ended), ("silent", report.active_silent),
            ("silent_waiting", report.waiting_silent), ("closed", report.closed),
        ):  # fmt: skip
            if count:
                ENDED.labels(event.slug, reason).inc(count)
