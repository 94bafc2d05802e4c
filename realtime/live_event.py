"""One event's live side in this process: its hub, its feeds, and its visitors. Lives while somebody is connected."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson
import structlog

from core import keys
from core.clock import Clock
from core.errors import OnsaleError
from core.process.store_watch import StoreWatch
from core.process.supervisor import Service, Supervisor
from core.process.tasks import cancelled
from core.seats.seats import Seats
from core.venue.event import Event
from core.venue.event_store_postgres import EventStore
from core.waiting_room.queue_redis import WaitingRoom
from realtime import metrics, wire
from realtime.attendance import Attendance, Attendances, Tab
from realtime.baskets import Baskets
from realtime.channel_limits import ChannelLimits
from realtime.hub import Hub
from realtime.place_pushes import PlacePushes
from realtime.places import Places
from realtime.queue_feed import QueueFeed
from realtime.resync import PAUSES
from realtime.sale_clock import SaleClock
from realtime.seat_feed import SeatFeed
from realtime.subscriptions import Listener, Subscribed

log = structlog.get_logger(__name__)

#: How soon a changed sale (opened, paused, another limit) is noticed that nobody told of: a time that came, a message
#: that was lost, the command line.
_LOOK_SECONDS: Final = 2.0
#: Between two looks whether everybody has been told the new end of session and hold.
_SOON_SECONDS: Final = 0.1
#: Pause between two tellings of how many have entered: each goes to everybody.
_COUNT_SECONDS: Final = 4.0
#: The board stays at hand so long after somebody without a channel was refused a seat.
_FOLLOWED_SECONDS: Final = 60.0
#: Tabs told before other work of the process gets a turn.
_TURN: Final = 500


class LiveEvent:
    """`open`, then `attend` and `part` for each channel, then `close`."""

    def __init__(
        self,
        event: Event,
        *,
        session_seconds: float,
        limits: ChannelLimits,
        clock: Clock,
        supervisor: Supervisor,
        subscriptions: Subscribed,
        events: EventStore,
        waiting_room: WaitingRoom,
        seats: Seats,
        stores: StoreWatch,
        stop_seconds: float = 600.0,
    ) -> None:
        self.event = event
        self.hub = Hub(event.slug, limits.buffer)
        self._clock = clock
        self._supervisor = supervisor
        self._events = events
        self._subscriptions = subscriptions
        self._attendances = Attendances()
        self._arriving = 0
        self._known = seats.known
        self._followed_at = -math.inf
        self.baskets = Baskets(event.slug, self._attendances, lambda visitor: seats.basket(self.event, visitor))
        places = Places(0)
        self.place_pushes = PlacePushes(
            lambda: self.event, waiting_room, self._attendances, places, session_seconds=session_seconds
        )
        self.seat_feed = SeatFeed(
            event.slug,
            self.hub,
            lambda: seats.board(self.event),
            coalesce_ms=limits.coalesce_ms,
            basket_changed=self._basket_changed,
            resynced=self._resynced,
        )
        self.queue_feed = QueueFeed(
            lambda: self.event,
            waiting_room,
            self._attendances,
            places,
            self.place_pushes,
            lapsed=self.baskets.lapsed,
            sale_changed=self._sale_changed,
            kept=self.baskets.unsure,
            swept=self._swept,
            gone=self._forget,
            missed=self._forget_all,
        )
        self._listeners: dict[str, Listener] = {
            keys.seats_channel(event.slug): self.seat_feed,
            keys.queue_channel(event.slug): self.queue_feed,
            keys.reservations_channel(event.slug): _Reservations(self._attendances, self.baskets, self._forget),
        }
        self._services: list[Service] = []
        self._changed = asyncio.Event()
        #: How many gather, as it was told last.
        self._shown_entered: int | None = None
        self._counted_at = 0.0
        self._told_sale = self.sale_message()
        self.clock = SaleClock(stores, clock, stop_seconds=stop_seconds, told=self._all_told)
        self._told_outage = self.clock.message()
        self._outage_changed = asyncio.Event()

    def open(self) -> None:
        slug, run_forever = self.event.slug, self._supervisor.run_forever
        self._known.follow(slug, self.seat_feed)
        self._services = [
            *self.seat_feed.start(self._supervisor),
            *self.queue_feed.start(self._supervisor),
            *self.baskets.start(self._supervisor),
            run_forever(f"realtime.places {slug}", self.place_pushes.run, backoff=PAUSES),
            run_forever(f"realtime.event {slug}", self._look, backoff=PAUSES),
            run_forever(f"realtime.outage {slug}", self._tell_outage, backoff=PAUSES),
        ]
        for channel, listener in self._listeners.items():
            self._subscriptions.add(channel, listener)

    async def close(self) -> None:
        self._known.unfollow(self.event.slug, self.seat_feed)
        for channel, listener in self._listeners.items():
            self._subscriptions.remove(channel, listener)
        await asyncio.gather(*(service.end() for service in self._services))

    async def ready(self) -> None:
        """Returns once both feeds know their state. Who waits for that is somebody who watches."""
        self._arriving += 1
        try:
            await self.seat_feed.ready.wait()
            await self.queue_feed.ready.wait()
        finally:
            self._arriving -= 1

    def behind_for(self) -> dict[str, float]:
        """For each feed: seconds since it was last in step with Redis; 0 while it is."""
        return {
            "seats": self.seat_feed.resync.behind_for(),
            "queue": self.queue_feed.resync.behind_for(),
        }

    def attend(self, visitor: str, tab: Tab) -> Attendance:
        metrics.CHANNELS.labels(self.event.slug).inc()
        return self._attendances.attend(visitor, tab)

    def part(self, attendance: Attendance, tab: Tab) -> None:
        metrics.CHANNELS.labels(self.event.slug).dec()
        if self._attendances.part(attendance, tab):
            self.queue_feed.forget(attendance.visitor)
            self.baskets.forget(attendance.visitor)

    def is_in(self, visitor: str) -> bool:
        """Whether this visitor waits, has entered or is active, as far as this process knows."""
        attendance = self._attendances.get(visitor)
        return attendance is not None and attendance.state is not None

    def absent(self, attendance: Attendance, revision: int, why: str) -> None:
        """See `presence.Attended`."""
        self.queue_feed.absent(attendance, revision, why)

    def followed(self) -> None:
        """The board is wanted at hand for a while, also without a channel."""
        self._followed_at = self._clock.monotonic()

    @property
    def empty(self) -> bool:
        if self._clock.monotonic() - self._followed_at < _FOLLOWED_SECONDS:
            return False
        return not (self._attendances or self._arriving)

    def _forget(self, visitor: str) -> None:
        self._known.forget(self.event.slug, visitor)

    def _forget_all(self) -> None:
        self._known.forget_all(self.event.slug)

    def _basket_changed(self, visitor: str, changes: Sequence[tuple[int, int]]) -> None:
        self._forget(visitor)
        self.baskets.changed(visitor, changes)

    def _resynced(self) -> None:
        self._forget_all()
        self.baskets.resynced()

    def sale_message(self) -> bytes:
        """The `sale` message now."""
        event, now = self.event, self._clock.now()
        to_come = event.next_opening(now)
        return wire.encode(
            "sale",
            status=event.sale_state(now),
            paused=event.paused,
            cancelled=event.cancelled_at is not None,
            opens_at=to_come.opens_at if to_come else event.opens_at,
            closes_at=event.closes_at,
            gathers_at=event.gathers_at(to_come) if to_come else None,
            entered=self._shown_entered,
        )

    def _sale_changed(self) -> None:
        # By another process, maybe: what this one remembers of the event is old.
        self._events.doubt(self.event.slug)
        self._changed.set()

    async def _look(self) -> None:
        while not cancelled():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._until_next_look()):
                    await self._changed.wait()
            self._changed.clear()
            try:
                self.event = await self._events.get(self.event.slug)
            except OnsaleError as error:
                log.warning("event not looked up", slug=self.event.slug, code=error.code)
            self._count_entered()
            message = self.sale_message()
            if message != self._told_sale:
                await self._tell_everybody(message)
                self._told_sale = message

    def stores_changed(self) -> None:
        """What is away, in this process, has changed."""
        self.clock.changed()
        self._outage_changed.set()

    def _swept(self, stands_ms: float) -> None:
        self.clock.swept(stands_ms)
        self._outage_changed.set()

    async def _tell_outage(self) -> None:
        while not cancelled():
            self.clock.look()
            message = self.clock.message()
            if message != self._told_outage:
                await self._tell_everybody(message)
                self._told_outage = message
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SOON_SECONDS if self.clock.ends_soon else _LOOK_SECONDS):
                    await self._outage_changed.wait()
            self._outage_changed.clear()

    def _all_told(self) -> bool:
        return self.queue_feed.in_step and self.baskets.in_step

    def _until_next_look(self) -> float:
        """Seconds; the moment at which the clock changes the sale is told then, and not at some look after it."""
        now = self._clock.now()
        change = self.event.next_change(now)
        return _LOOK_SECONDS if change is None else min(_LOOK_SECONDS, max(0.0, (change - now).total_seconds()) + 0.005)

    def _count_entered(self) -> None:
        """The number gathered is told now and then: with the sale, in one message for everybody."""
        entered, now = self.queue_feed.entered, self._clock.monotonic()
        if (entered is None) != (self._shown_entered is None) or now - self._counted_at >= _COUNT_SECONDS:
            self._shown_entered, self._counted_at = entered, now

    async def _tell_everybody(self, message: bytes) -> None:
        # At an opening who is told first joins first: in no order that anybody could choose.
        everybody = list(self._attendances)
        random.shuffle(everybody)
        for told, attendance in enumerate(everybody):
            if told % _TURN == 0:
                await asyncio.sleep(0)
            attendance.tell(message)


class _Reservations:
    """Results of payments, and news of the waiting list, for the one visitor's browser."""

    def __init__(self, attendances: Attendances, baskets: Baskets, changed: Callable[[str], None]) -> None:
        """`changed` hears whose reservation it is."""
        self._attendances = attendances
        self._baskets = baskets
        self._changed = changed

    def subscribed(self) -> None:
        """What was missed, the browser asks by HTTP when it comes back to its reservation."""

    def message(self, data: bytes) -> None:
        told: dict[str, Any] = orjson.loads(data)
        visitor = told.pop("visitor", "")
        self._changed(visitor)
        attendance = self._attendances.get(visitor)
        if attendance is not None and told.pop("returns", False):
            attendance.tell(wire.encode("returns"))
        elif attendance is not None:
            self._baskets.paying(attendance.visitor)
            attendance.tell(wire.encode("reservation", **told))
