"""The live channels of one server process: what the web room starts, stops, and hands each accepted socket to."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

import structlog
from redis.asyncio import Redis

from core.clock import Clock
from core.errors import OnsaleError, StoreUnavailable
from core.process.store_watch import REDIS, StoreWatch
from core.process.supervisor import Service, Supervisor
from core.process.tasks import cancelled
from core.seats.seats import Seats
from core.venue.event import Event
from core.venue.event_store_postgres import EventStore
from core.waiting_room.price import NOBODY, Bidder
from core.waiting_room.queue_redis import WaitingRoom
from core.waiting_room.removals_postgres import FRESH_SECONDS, Removals
from core.waiting_room.visit_times import VisitTimes
from realtime import metrics, wire
from realtime.arrivals import Arrivals, come_back_after
from realtime.channel import Channel
from realtime.channel_limits import ChannelLimits
from realtime.cluster_subscriptions import subscriptions_of
from realtime.connection import Connection
from realtime.frames import text_frame
from realtime.live_event import LiveEvent
from realtime.presence import Presence
from realtime.resync import PAUSES
from realtime.wire import CloseCode

log = structlog.get_logger(__name__)

#: An event without channels is let go after this long: a reload of the last browser finds it warm.
_LINGER_SECONDS: Final = 30.0
#: A new channel waits this long for the event's first snapshot.
_READY_SECONDS: Final = 5.0


class Live:
    """`start`, `serve` for each socket, `stop`."""

    def __init__(
        self,
        *,
        times: VisitTimes,
        limits: ChannelLimits,
        clock: Clock,
        supervisor: Supervisor,
        redis: Redis,
        events: EventStore,
        waiting_room: WaitingRoom,
        seats: Seats,
        removals: Removals,
        stores: StoreWatch,
    ) -> None:
        self._times = times
        self._limits = limits
        self._clock = clock
        self._supervisor = supervisor
        self._events = events
        self._waiting_room = waiting_room
        self._seats = seats
        self._removals = removals
        self._stores = stores
        stores.follow(self._stores_changed)
        self._subscriptions = subscriptions_of(redis)
        self._presence = Presence(waiting_room)
        self._live: dict[str, LiveEvent] = {}
        #: Whose they are: event, visitor, address.
        self._connections: dict[Connection, tuple[Event, str, str]] = {}
        self._of_visitor: Counter[str] = Counter()
        self._arrivals = Arrivals()
        self._opening: set[Connection] = set()
        self._stopping = False
        self._services: list[Service] = []

    async def start(self) -> None:
        self._subscriptions.start(self._supervisor)
        self._presence.start(self._supervisor)
        run_forever = self._supervisor.run_forever
        self._services = [
            run_forever("realtime.linger", self._let_go, backoff=PAUSES),
            run_forever("realtime.removals", self._put_out, backoff=PAUSES),
        ]

    async def stop(self) -> None:
        """Says GOING_AWAY to everybody, keeps the last beats, and returns when all is ended."""
        self._stopping = True
        connections = list(self._connections)
        for connection in connections:
            connection.close(CloseCode.GOING_AWAY, "the server restarts: reconnect")
            await asyncio.sleep(self._limits.goodbye_seconds / len(connections))
        await asyncio.gather(*(service.end() for service in self._services))
        await self._presence.stop()
        await asyncio.gather(*(live.close() for live in self._live.values()))
        self._live.clear()
        await self._subscriptions.stop()

    @property
    def channels(self) -> int:
        """Open channels of this process."""
        return len(self._connections)

    def behind(self, seconds: float) -> dict[str, float]:
        """Feeds that have not been in step with Redis for longer than that: `seats` or `queue` and the slug, and for
        how many seconds. What their browsers see is old."""
        return {
            f"{feed} {slug}": behind
            for slug, live in self._live.items()
            for feed, behind in live.behind_for().items()
            if behind > seconds
        }

    async def serve(
        self,
        connection: Connection,
        event: Event,
        visitor: str,
        bidder: Bidder = NOBODY,
        *,
        early_board: bool = True,
        joins: bool = False,
    ) -> None:
        """Runs one accepted channel to its end. `bidder`: where the visitor comes from. `joins`: asks for a place."""
        if self._stopping:
            connection.close(CloseCode.GOING_AWAY, "the server restarts: reconnect")
            return
        if len(self._connections) >= self._limits.per_process:
            metrics.REFUSED_FULL.inc()
            connection.close(CloseCode.FULL, "the server is full: reconnect")
            return
        most = self._limits.per_visitor
        if most is not None and self._of_visitor[visitor] >= most:
            connection.close(CloseCode.TOO_MANY_CHANNELS, "too many open pages: close one of them")
            return
        if self._arrivals.full and REDIS in self._stores.away:
            # All wait for a store and not for their turn, and nobody knows how long.
            connection.send(text_frame(self._event(event).clock.message()))
            self._interrupted(connection)
            return
        seconds = self._arrivals.comes(self._clock.monotonic())
        if seconds is not None:
            metrics.SENT_AWAY.inc()
            connection.close(CloseCode.RECONNECT, come_back_after(seconds))
            return
        self._opening.add(connection)
        self._of_visitor[visitor] += 1
        self._connections[connection] = (event, visitor, bidder.address)
        try:
            await self._serve(connection, event, visitor, bidder, early_board, joins)
        finally:
            if connection in self._opening:
                self._opening.discard(connection)
                self._arrivals.left()
            del self._connections[connection]
            self._of_visitor[visitor] -= 1
            if not self._of_visitor[visitor]:
                del self._of_visitor[visitor]

    async def _serve(
        self, connection: Connection, event: Event, visitor: str, bidder: Bidder, early_board: bool, joins: bool
    ) -> None:
        live = self._event(event)
        if not live.clock.quiet:
            # Before what may be in vain: a page that comes in an outage hears of it first.
            connection.send(text_frame(live.clock.message()))
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await live.ready()
        except TimeoutError:
            self._interrupted(connection)
            return
        channel = Channel(
            connection,
            live,
            visitor,
            bidder,
            times=self._times,
            limits=self._limits,
            clock=self._clock,
            presence=self._presence,
            waiting_room=self._waiting_room,
            seats=self._seats,
            require_entry=lambda: self._removals.require(event, visitor, bidder.address),
            early_board=early_board,
            joins=joins,
            welcomed=self._welcomed,
        )
        await channel.run()

    @staticmethod
    def _interrupted(connection: Connection) -> None:
        error = StoreUnavailable()
        connection.send(text_frame(wire.encode("problem", code=error.code, detail=error.detail)))
        connection.close(CloseCode.STORE_LOST, "the sale is interrupted: reconnect")

    def _welcomed(self, connection: Connection) -> None:
        self._opening.discard(connection)
        self._arrivals.opened(self._clock.monotonic())

    def follow(self, event: Event) -> None:
        """Somebody without a channel was refused a seat: with the board at hand the next ones cost Redis nothing."""
        if not self._stopping:
            self._event(event).followed()

    def _event(self, event: Event) -> LiveEvent:
        live = self._live.get(event.slug)
        if live is None:
            live = self._live[event.slug] = LiveEvent(
                event,
                session_seconds=self._times.session,
                limits=self._limits,
                clock=self._clock,
                supervisor=self._supervisor,
                subscriptions=self._subscriptions,
                events=self._events,
                waiting_room=self._waiting_room,
                seats=self._seats,
                stores=self._stores,
                stop_seconds=self._times.stop,
            )
            live.open()
        return live

    def _stores_changed(self) -> None:
        for live in self._live.values():
            live.stores_changed()

    async def _put_out(self) -> None:
        """Those whom an operator keeps out, as soon as this process has read so; who is paying, afterwards."""
        while not cancelled():
            await asyncio.sleep(FRESH_SECONDS)
            if not self._removals.any:
                continue
            for event, visitor, address in list(self._connections.values()):
                live = self._live.get(event.slug)
                if live is None or not live.is_in(visitor) or not self._removals.of(event, visitor, address):
                    continue
                try:
                    await self._removals.put_out(event, visitor)
                except OnsaleError as error:
                    log.warning("visitor not put out yet", slug=event.slug, visitor=visitor, code=error.code)

    async def _let_go(self) -> None:
        """Closes events that nobody has watched for a while."""
        empty: set[str] = set()
        while not cancelled():
            await asyncio.sleep(_LINGER_SECONDS)
            for slug in empty:
                # Looked at directly before: somebody may have come while another one was being closed.
                live = self._live.get(slug)
                if live is not None and live.empty:
                    del self._live[slug]
                    await live.close()
            empty = {slug for slug, live in self._live.items() if live.empty}
