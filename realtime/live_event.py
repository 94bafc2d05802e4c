"""One event's live side in this process: its hub, its feeds, and its visitors. Lives while somebody is connected."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

import orjson
import structlog

from core import keys
from core.clock import Clock
from core.errors import OnsaleError
from core.seats.seats import Seats
from core.settings import Settings
from core.venue.event import Event
from core.venue.event_store_postgres import EventStore
from core.waiting_room.queue_redis import WaitingRoom
from realtime import metrics, wire
from realtime.attendance import Attendance, Tab
from realtime.hub import Hub
from realtime.queue_feed import QueueFeed
from realtime.seat_feed import SeatFeed
from realtime.subscriptions import Listener, Subscriptions
from realtime.tasks import end, watched
from realtime.wire import ExpiredReason

log = structlog.get_logger(__name__)

#: How soon a changed sale (opened, paused, another limit) is noticed that nobody told of: a time that came, a message
#: that was lost, the command line.
_LOOK_SECONDS: Final = 2.0
#: Tabs told before other work of the process gets a turn.
_TURN: Final = 500
#: A change to a basket that its own channel has answered by then is no news.
_ANSWER_SECONDS: Final = 0.1


class LiveEvent:
    """`open`, then `attend` and `part` for each channel, then `close`."""

    def __init__(
        self,
        event: Event,
        *,
        settings: Settings,
        clock: Clock,
        subscriptions: Subscriptions,
        events: EventStore,
        waiting_room: WaitingRoom,
        seats: Seats,
        buffer_limit: int,
    ) -> None:
        self.event = event
        self.hub = Hub(event.slug, buffer_limit)
        self._clock = clock
        self._events = events
        self._seats = seats
        self._subscriptions = subscriptions
        self._attendances: dict[str, Attendance] = {}
        self._arriving = 0
        self.seat_feed = SeatFeed(
            event.slug,
            self.hub,
            lambda: seats.board(self.event),
            coalesce_ms=settings.board_coalesce_ms,
            basket_changed=self._basket_changed,
        )
        self.queue_feed = QueueFeed(
            lambda: self.event,
            waiting_room,
            self._attendances,
            session_seconds=settings.session_seconds,
            lapsed=self._basket_lapsed,
            sale_changed=self._sale_changed,
        )
        self._listeners: dict[str, Listener] = {
            keys.seats_channel(event.slug): self.seat_feed,
            keys.queue_channel(event.slug): self.queue_feed,
            keys.reservations_channel(event.slug): _Reservations(self._attendances),
        }
        self._looking: asyncio.Task[None] | None = None
        #: What changed in visitors' baskets, until it is known whether their tabs know it: visitor -> ordinal -> state.
        self._unsure: dict[str, dict[int, int]] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._told_sale = self.sale_message()

    async def open(self) -> None:
        self.seat_feed.start()
        self.queue_feed.start()
        self._looking = watched(self._look(), name=f"realtime.event.{self.event.slug}")
        for channel, listener in self._listeners.items():
            await self._subscriptions.add(channel, listener)

    async def close(self) -> None:
        for channel, listener in self._listeners.items():
            await self._subscriptions.remove(channel, listener)
        await end(self._looking, *self._telling)
        await self.queue_feed.stop()
        await self.seat_feed.stop()

    async def ready(self) -> None:
        """Returns once both feeds know their state. Who waits for that is somebody who watches."""
        self._arriving += 1
        try:
            await self.seat_feed.ready.wait()
            await self.queue_feed.ready.wait()
        finally:
            self._arriving -= 1

    def attend(self, visitor: str, tab: Tab) -> Attendance:
        attendance = self._attendances.get(visitor)
        if attendance is None:
            attendance = self._attendances[visitor] = Attendance(visitor)
        attendance.tabs.append(tab)
        metrics.CHANNELS.labels(self.event.slug).inc()
        return attendance

    def part(self, attendance: Attendance, tab: Tab) -> None:
        attendance.tabs.remove(tab)
        metrics.CHANNELS.labels(self.event.slug).dec()
        if not attendance.tabs:
            del self._attendances[attendance.visitor]
            self.queue_feed.forget(attendance)

    @property
    def empty(self) -> bool:
        return not (self._attendances or self._arriving)

    def _basket_changed(self, visitor: str, changes: Sequence[tuple[int, int]]) -> None:
        """Seats were held or let go, on whatever way: by this process' channel, another one's, or by HTTP."""
        attendance = self._attendances.get(visitor)
        if attendance is None:
            return
        if (unsure := self._unsure.get(visitor)) is not None:
            unsure.update(changes)
        elif not attendance.knows(changes):
            self._unsure[visitor] = dict(changes)
            task = watched(self._tell_basket(attendance), name="realtime.basket")
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell_basket(self, attendance: Attendance) -> None:
        # The news is often faster than the answer to the channel that asked.
        await asyncio.sleep(_ANSWER_SECONDS)
        if attendance.knows(self._unsure.pop(attendance.visitor).items()):
            return
        told: object = ()
        try:
            # Again when a channel was answered meanwhile: its answer may be the newer one.
            while told is not attendance.told_basket:
                told = attendance.told_basket
                basket = await self._seats.basket(self.event, attendance.visitor)
        except OnsaleError as error:
            log.warning("basket not looked up", visitor=attendance.visitor, code=error.code)
            return
        attendance.told_basket = frozenset(basket.seats) if basket else frozenset()
        attendance.tell(wire.held(basket))

    async def _basket_lapsed(self, attendance: Attendance) -> None:
        # By the time that the news is here the visitor may hold other seats: then it is old news.
        if await self._seats.basket(self.event, attendance.visitor) is None:
            attendance.told_basket = None
            attendance.tell(wire.encode("expired", reason=ExpiredReason.HOLD))

    def sale_message(self) -> bytes:
        """The `sale` message now."""
        event = self.event
        return wire.encode(
            "sale",
            status=event.sale_state(self._clock.now()),
            paused=event.paused,
            opens_at=event.opens_at,
            closes_at=event.closes_at,
        )

    def _sale_changed(self) -> None:
        # By another process, maybe: what this one remembers of the event is old.
        self._events.doubt(self.event.slug)
        self._changed.set()

    async def _look(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            try:
                self.event = await self._events.get(self.event.slug)
            except OnsaleError as error:
                log.warning("event not looked up", slug=self.event.slug, code=error.code)
            message = self.sale_message()
            if message != self._told_sale:
                self._told_sale = message
                await self._tell_everybody(message)

    async def _tell_everybody(self, message: bytes) -> None:
        for told, attendance in enumerate(list(self._attendances.values())):
            if told % _TURN == 0:
                await asyncio.sleep(0)
            attendance.tell(message)


class _Reservations:
    """Results of payments, for the one visitor's browser."""

    def __init__(self, attendances: dict[str, Attendance]) -> None:
        self._attendances = attendances

    def subscribed(self) -> None:
        """What was missed, the browser asks by HTTP when it comes back to its reservation."""

    def message(self, data: bytes) -> None:
        told: dict[str, Any] = orjson.loads(data)
        attendance = self._attendances.get(told.pop("visitor", ""))
        if attendance is not None:
            attendance.told_basket = None
            attendance.tell(wire.encode("reservation", **told))
