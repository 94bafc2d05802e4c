"""The sweep of every event: sessions, silent visitors and baskets end, the head of the queue comes in (S8, S9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from functools import partial

import structlog
from prometheus_client import Counter

from core.clock import Clock
from core.errors import StoreUnavailable
from core.process.once import Once
from core.process.store_watch import DATABASE, PAYMENT, StoreWatch
from core.venue.event import Event, SaleState
from core.venue.event_store_postgres import EventStore
from core.waiting_room.outage import NO_OUTAGE, Outage, stops_of
from core.waiting_room.place import SweepReport
from core.waiting_room.queue_redis import WaitingRoom

log = structlog.get_logger(__name__)

ENDED = Counter("onsale_visitors_out", "Visitors who are out, by reason", ["event", "reason"])
ADMITTED = Counter("onsale_visitors_admitted", "Visitors let in by a sweep", ["event"])
FAILED = Counter("onsale_sweep_failures", "Sweeps of an event that ended with an exception", ["event"])
LAPSED = Counter("onsale_baskets_lapsed", "Baskets whose time ran out", ["event"])

GIVEN_TIME = Counter("onsale_given_time", "Sessions and baskets that got time back after an outage", ["event"])
GIVEN_TO_PAY = Counter("onsale_given_time_to_pay", "Payments under way that got time back after an outage")

#: `core.booking.checkout.Checkout.give_time`.
GiveTime = Callable[[int, datetime, float], Awaitable[int]]

#: `core.booking.checkout.Checkout.paid_in`.
PaidIn = Callable[[Sequence[int]], Awaitable[Collection[int]]]

# How long a sweep waits for PostgreSQL: silence and deadlines are judged once a second, whatever it does.
_PATIENCE_SECONDS = 0.5


def outage_of(stores: StoreWatch) -> Outage:
    """What the sweep is told of it."""
    return Outage(stores.away_for(DATABASE, PAYMENT))


class Sweeping:
    """The body of the `sweep` job. One round sweeps every event that has anything to sweep.

    Events that have more to do than one script may take get another turn, one after the other, while the round has time
    (`seconds`): one large crowd delays nobody else's.
    """

    def __init__(
        self,
        *,
        events: EventStore,
        waiting_room: WaitingRoom,
        clock: Clock,
        seconds: float = 1.0,
        stores: StoreWatch | None = None,
        give_time: GiveTime | None = None,
        paid_in: PaidIn | None = None,
    ) -> None:
        """`stores`: by which the sale's clock stands (R4). `give_time`: gives what it stood to those who pay.
        `paid_in`: which of these events somebody pays in; by the waiting list that may be after the sale has closed.
        """
        self._stores = stores
        self._give_time = give_time
        self._paid_in = paid_in
        #: Closed sales in which somebody pays.
        self._payers: Collection[int] = ()
        self._giving = Once[None]("time to pay")
        #: Event -> stops that PostgreSQL has noted, as the sweep told them.
        self._noted: dict[int, str] = {}
        self._events = events
        self._waiting_room = waiting_room
        self._clock = clock
        self._seconds = seconds
        self._known: Sequence[Event] = ()
        self._reading = Once[None]("events to sweep")
        # Closed sales that have been emptied: nothing happens to them until they open again.
        self._finished: set[int] = set()

    async def run(self) -> None:
        """Raises StoreUnavailable when Redis is away. PostgreSQL away or slow: the events known last are swept.

        An event whose sweep fails keeps no other one from its own; the failure is raised where none succeeded.
        """
        ends = self._clock.monotonic() + self._seconds
        failure: Exception | None = None
        try:
            await self._look()
        except Exception as error:
            # A defect in the reading of events: those that are known are swept nevertheless.
            failure = error
        turn, swept = list(self._known), 0
        while turn:
            more = []
            for event in turn:
                try:
                    if await self._sweep(event):
                        more.append(event)
                    swept += 1
                except StoreUnavailable:
                    raise
                except Exception as error:
                    FAILED.labels(event.slug).inc()
                    log.exception("sweep failed", slug=event.slug)
                    failure = error
            turn = more
            if self._clock.monotonic() >= ends:
                break
        if failure is not None and not swept:
            raise failure

    async def _look(self) -> None:
        """Which events there are. A read that takes long goes on while the events known before are swept."""
        try:
            await self._reading("all", self._read, limit=_PATIENCE_SECONDS)
        except (StoreUnavailable, TimeoutError):
            log.warning("sweeping the events known last: PostgreSQL is away")

    async def _read(self) -> None:
        self._known = await self._events.list()
        now = self._clock.now()
        closed = [event.id for event in self._known if event.sale_state(now) is SaleState.CLOSED]
        if self._paid_in is not None:
            self._payers = await self._paid_in(closed) if closed else ()

    async def _sweep(self, event: Event) -> bool:
        """True when there is more to do."""
        state = event.sale_state(self._clock.now())
        if state is SaleState.BEFORE and event.opening is None:
            return False  # nobody waits, and nobody gathers
        closed = state is SaleState.CLOSED
        paying = closed and event.id in self._payers
        if not closed or paying:
            self._finished.discard(event.id)
        elif event.id in self._finished:
            return False
        report = await self._waiting_room.sweep(
            event,
            batches=1,
            outage=outage_of(self._stores) if self._stores else NO_OUTAGE,
            noted=self._noted.pop(event.id, ""),
            paying=paying,
        )
        if report.stops and self._give_time is not None:
            # It goes on while others are swept, and is tried again with the next sweep.
            self._giving.begin(event.id, partial(self._give, event.id, report.stops, self._give_time))
        self._measure(event, report)
        if closed and not (paying or report.more or report.waiting or report.active or report.stops):
            self._finished.add(event.id)
        return report.more

    async def _give(self, event_id: int, stops: str, give_time: GiveTime) -> None:
        for stop in stops_of(stops):
            longer = await give_time(event_id, stop.ended, stop.seconds)
            GIVEN_TO_PAY.inc(longer)
        self._noted[event_id] = stops

    def _measure(self, event: Event, report: SweepReport) -> None:
        ADMITTED.labels(event.slug).inc(report.admitted)
        LAPSED.labels(event.slug).inc(report.lapsed)
        GIVEN_TIME.labels(event.slug).inc(report.given_time)
        for reason, count in (
            ("session", report.sessions_ended),
            ("silent", report.active_silent),
            ("silent_waiting", report.waiting_silent),
            ("closed", report.closed),
        ):
            if count:
                ENDED.labels(event.slug, reason).inc(count)
