"""One browser's live channel: reads its commands, answers them, and passes on the news of its visitor.

Commands are handled one after the other. Each is checked again where it is done (rule 4): nothing here decides who
may hold a seat. A store that is away costs an answer (`problem`), never the channel.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, assert_never

import structlog

from core.clock import Clock
from core.errors import OnsaleError, OutcomeUnknown, ProofRequired, StoreUnavailable
from core.process.rate import Allowance, Rate
from core.seats.basket import Basket
from core.seats.best_seats import Wish
from core.seats.seats import Seats
from core.venue.event import Event
from core.waiting_room.place import PlaceState
from core.waiting_room.price import NOBODY, Bidder
from core.waiting_room.queue_redis import WaitingRoom
from core.waiting_room.visit_times import VisitTimes
from realtime import metrics, wire
from realtime.attendance import Attendance
from realtime.channel_limits import ChannelLimits
from realtime.connection import Connection
from realtime.frames import text_frame
from realtime.live_event import LiveEvent
from realtime.presence import Presence
from realtime.wire import CloseCode, ExpiredReason

log = structlog.get_logger(__name__)

#: Messages that are not of the protocol, before the channel is closed.
_BAD_MESSAGES: Final = 5
#: What only who may be in the sale does.
_ENTERING: Final = (wire.Join, wire.HoldSeats, wire.BestSeats, wire.Extend)
#: What a refusal says besides its words, where the command was refused for it.
_TOLD: Final = ("seats", "board", "largest", "alternatives", "max")


class Channel:
    """`run` returns when the connection is over. Implements `attendance.Tab`."""

    def __init__(
        self,
        connection: Connection,
        live: LiveEvent,
        visitor: str,
        bidder: Bidder = NOBODY,
        *,
        times: VisitTimes,
        limits: ChannelLimits,
        clock: Clock,
        presence: Presence,
        waiting_room: WaitingRoom,
        seats: Seats,
        require_entry: Callable[[], None] = lambda: None,
        early_board: bool = True,
        joins: bool = False,
        welcomed: Callable[[Connection], None] = lambda connection: None,
    ) -> None:
        """`require_entry` raises an OnsaleError for who is kept out of the sale. `early_board`: who has no place yet
        gets the board at once, and again when let in; else with the admission alone. `joins`: who has no place asks for
        one with the opening, in the same call to Redis. `welcomed` hears when the browser has been told where it
        stands.
        """
        self._joins = joins
        self._welcomed = welcomed
        self._connection = connection
        self._require_entry = require_entry
        self._early_board = early_board
        self._live = live
        self._bidder = bidder
        self._times = times
        self._pong_seconds = limits.pong_seconds
        self._clock = clock
        self._presence = presence
        self._waiting_room = waiting_room
        self._seats = seats
        most = limits.messages_per_minute
        self._allowance = None if most is None else Allowance(Rate(most))
        self._bad_messages = 0
        #: When the page itself last sent a message, by the monotonic clock; its browser answers pings without it.
        self._spoke_at = clock.monotonic()
        self._open = False
        self._attendance: Attendance = live.attend(visitor, self)

    async def run(self) -> None:
        try:
            if not await self._welcome():
                return
            self._welcomed(self._connection)
            self._connection.on_pong(self._ponged)
            while (message := await self._connection.receive()) is not None:
                if not await self._take(message):
                    return
        finally:
            self._open = False
            self._live.seat_feed.unwatch(self._connection)
            self._live.part(self._attendance, self)

    # News of the visitor.

    def told_entered(self) -> None:
        if self._open:
            self._live.seat_feed.unwatch(self._connection)
            self._send_entered()

    def told_waiting(self) -> None:
        if self._open:
            self._live.seat_feed.unwatch(self._connection)
            self._send_place()

    def told_admitted(self) -> None:
        if self._open:
            self._send_admitted()
            self._live.seat_feed.watch(self._connection)

    def told_expired(self, reason: ExpiredReason) -> None:
        self.told(wire.encode("expired", reason=reason))

    def told(self, message: bytes) -> None:
        if self._open:
            self._live.hub.send(self._connection, text_frame(message))

    # The start.

    async def _welcome(self) -> bool:
        """Says where the visitor stands, with all that a browser needs to go on. False: the channel is closed."""
        try:
            refused = await self._arrive()
            active = self._attendance.state is PlaceState.ACTIVE
            basket = await self._seats.basket(self._event, self._attendance.visitor) if active else None
        except OnsaleError as error:
            self._open = True
            self._problem(error)
            self._connection.close(CloseCode.STORE_LOST, "the sale is interrupted: reconnect")
            return False
        state = self._attendance.state
        waits = state in (PlaceState.WAITING, PlaceState.ENTERED)
        self._open = True
        ended = self._attendance.ended
        refused = refused if state is None else None
        self._send(
            "welcome",
            **({"ended": ended} if state is None and ended is not None else {}),
            **({"asked": True} if refused is not None else {}),
            event=self._event.slug,
            visitor=self._attendance.visitor,
            state=state or "none",
            now=self._clock.now(),
            beat_seconds=self._times.beat,
            grace_seconds=self._times.waiting_grace if waits else self._times.active_grace,
        )
        self.told(self._live.sale_message())
        if not self._live.clock.quiet:
            self.told(self._live.clock.message())
        self._alive()
        if waits:
            self._send_state()
            return True
        if refused is not None:
            self._problem(refused)
        if state is PlaceState.ACTIVE:
            self._send_admitted()
            # What is told here nobody else tells the tabs that were open before.
            if basket is not None and self._send_basket(basket) and not basket.paying:
                self._tell_others(basket)
        if state is PlaceState.ACTIVE or self._early_board:
            self._live.seat_feed.watch(self._connection)
        return True

    async def _arrive(self) -> OnsaleError | None:
        """Learns where the visitor stands. Returns why there is no place for who asked for one with the opening."""
        refused = None
        if self._joins:
            metrics.MESSAGES.labels("join").inc()
            try:
                self._require_entry()
                await self._learn(self._waiting_room.join(self._event, self._attendance.visitor, bidder=self._bidder))
                return None
            except OutcomeUnknown:
                raise  # Redis is away: to ask it for more would keep a browser for longer than it waits
            except OnsaleError as error:
                refused = error
            except Exception:
                log.exception("command failed", command="join", visitor=self._attendance.visitor)
                refused = OnsaleError()
        await self._learn(self._waiting_room.place_or_out(self._event, self._attendance.visitor))
        return refused

    # Messages of the browser.

    async def _take(self, message: str | bytes) -> bool:
        """False: the channel was closed."""
        if self._allowance is not None and not self._allowance.take(self._clock.monotonic()):
            self._connection.close(CloseCode.TOO_MANY_MESSAGES, "too many messages")
            return False
        try:
            if isinstance(message, bytes):
                raise wire.BadMessage("messages are text, not binary")
            if len(message) > wire.MAX_MESSAGE or len(message.encode()) > wire.MAX_MESSAGE:
                raise wire.BadMessage(f"a message has at most {wire.MAX_MESSAGE} bytes")
            command = wire.parse(message)
        except wire.BadMessage as error:
            return self._bad(str(error))
        metrics.MESSAGES.labels(command.type).inc()
        self._spoke_at = self._clock.monotonic()
        self._alive()
        try:
            await self._do(command)
        except StoreUnavailable as error:
            self._problem(error, command)
            if isinstance(error, OutcomeUnknown):
                # Looked up until it is known; the page hears of it as `held`.
                self._live.baskets.unsure(self._attendance.visitor)
        except OnsaleError as error:
            self._refuse(error, command)
        except Exception:
            log.exception("command failed", command=command.type, visitor=self._attendance.visitor)
            self._problem(OnsaleError(), command)
        return True

    async def _do(self, command: wire.Command) -> None:
        event, visitor = self._event, self._attendance.visitor
        if isinstance(command, _ENTERING):
            self._require_entry()
        match command:
            case wire.Beat():
                self._send("beat", now=self._clock.now())
            case wire.Join(ticket=ticket, nonce=nonce, proof=proof, code=code):
                bidder = replace(self._bidder, proof=proof)
                if not await self._learn(self._waiting_room.join(event, visitor, ticket, nonce, bidder, code=code)):
                    self._send_state()
            case wire.HoldSeats(seats=seats, id=id_):
                self._answer(await self._seats.hold(event, visitor, seats), id_)
            case wire.BestSeats(id=id_) as asked:
                wish = Wish(asked.count, asked.category, asked.zone, asked.accessible, asked.groups)
                basket = await self._seats.best(event, visitor, wish)
                self._answer(basket, id_, **({"together": True} if wish.groups == 1 else {}))
            case wire.ReleaseSeats(seats=seats, id=id_):
                self._answer(await self._seats.release(event, visitor, seats), id_)
            case wire.Extend(id=id_):
                self._answer(await self._seats.extend(event, visitor), id_)
            case wire.Sync(epoch=epoch, version=version):
                self._live.seat_feed.sync(self._connection, epoch, version)
            case wire.Leave():
                await self._waiting_room.leave(event, visitor)
                if not self._live.queue_feed.left(self._attendance):
                    self.told_expired(ExpiredReason.LEFT)
            case _:
                assert_never(command)

    def _bad(self, detail: str) -> bool:
        self._bad_messages += 1
        self._send("problem", code="invalid_request", detail=detail)
        if self._bad_messages < _BAD_MESSAGES:
            return True
        self._connection.close(CloseCode.BAD_MESSAGE, "messages that are not of the protocol")
        return False

    # Answers.

    @property
    def _event(self) -> Event:
        return self._live.event

    async def _learn(self, call: Awaitable[Any]) -> bool:
        return await self._live.queue_feed.learn(self._attendance, call)

    def _alive(self) -> None:
        self._presence.alive(self._live, self._attendance)

    def _ponged(self) -> None:
        """A background tab may run its timers once a minute, but its browser answers pings at once (S9). A page that
        stands still for longer than that is not there any more (R2)."""
        if self._clock.monotonic() - self._spoke_at <= self._pong_seconds:
            self._alive()

    def _send(self, kind: str, **fields: Any) -> None:
        self.told(wire.encode(kind, **fields))

    def _send_state(self) -> None:
        """Where the visitor stands, whether it is news or not."""
        if self._attendance.state is PlaceState.ENTERED:
            self._send_entered()
        elif self._attendance.state is PlaceState.WAITING:
            self._send_place()
        elif self._attendance.state is PlaceState.ACTIVE:
            self._send_admitted()

    def _send_entered(self) -> None:
        entry = self._attendance.entry
        if entry is not None:
            self._send(
                "entered",
                receipt=entry.receipt,
                salt=entry.salt,
                entered=max(entry.entered, self._live.queue_feed.entered or 0),
                draw_at=entry.draw_at,
                ticket=self._waiting_room.entry_ticket(self._event, self._attendance.visitor, entry),
            )

    def _send_place(self) -> None:
        if message := self._live.place_pushes.message(self._attendance, ticket=True):
            self.told(message)

    def _send_admitted(self) -> None:
        self._send(
            "admitted",
            until=self._attendance.until,
            number=self._attendance.number,
            ticket=self._waiting_room.ticket(
                self._event, self._attendance.visitor, self._attendance.number, self._attendance.until
            ),
            warning_seconds=self._times.warning,
        )

    def _send_basket(self, basket: Basket | None, **more: Any) -> bool:
        """True when it is news to the visitor's tabs."""
        news = self._live.baskets.told(self._attendance, basket)
        self.told(wire.held(basket, **more))
        return news

    def _answer(self, basket: Basket | None, id_: str | int, **more: Any) -> None:
        """The basket, with the command's id to who asked and without to the visitor's other tabs."""
        self._send_basket(basket, id=id_, **more)
        self._tell_others(basket)

    def _tell_others(self, basket: Basket | None) -> None:
        others = [tab for tab in self._attendance.tabs if tab is not self]
        if others:
            message = wire.held(basket)
            for tab in others:
                tab.told(message)

    def _refuse(self, error: OnsaleError, command: wire.Command) -> None:
        match command:
            case wire.HoldSeats(id=id_) | wire.BestSeats(id=id_) | wire.ReleaseSeats(id=id_) | wire.Extend(id=id_):
                told = {"seats": []} | {name: error.data[name] for name in _TOLD if name in error.data}
                if error.retry_after is not None:
                    told["retry_after"] = error.retry_after
                self._send("refused", id=id_, code=error.code, detail=error.detail, **told)
            case _:
                self._problem(error)

    def _problem(self, error: OnsaleError, command: wire.Command | None = None) -> None:
        id_ = getattr(command, "id", "")
        told: dict[str, Any] = {"id": id_} if id_ != "" else {}
        if isinstance(error, ProofRequired):
            told |= error.data
        self._send("problem", code=error.code, detail=error.detail, **told)
