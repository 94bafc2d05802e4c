"""Browsers without sockets on an event's live side: what each of them would show, and what Redis knows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from core.runtime import Runtime
from core.venue.event import Event
from core.waiting_room.place import Place
from realtime.composition import channel_limits
from realtime.frames import Frame
from realtime.live_event import LiveEvent
from realtime.subscriptions import Subscriptions
from realtime.wire import ExpiredReason
from tests.live_server import BoardCopy


class Tab:
    """A browser's memory: what it was told last, as a page would show it. Also a connection that watches the board."""

    def __init__(self, live: LiveEvent, visitor: str) -> None:
        self.live = live
        self.shows: tuple[Any, ...] = ("none",)
        self.basket: list[int] = []
        self.board = BoardCopy()
        self.attendance = live.attend(visitor, self)

    def told_entered(self) -> None: ...

    def told_waiting(self) -> None:
        self.told(self.live.place_pushes.message(self.attendance, ticket=False) or b"{}")

    def told_admitted(self) -> None:
        self.shows = ("active",)

    def told_expired(self, reason: ExpiredReason) -> None:
        self.shows, self.basket = ("none",), []

    def told(self, message: bytes) -> None:
        self._take(message)

    def send(self, frame: Frame) -> None:
        self._take(frame.payload)

    def send_within(self, frame: Frame, most: int) -> bool:
        self.send(frame)
        return True

    def buffered(self) -> int:
        return 0

    async def receive(self) -> str | bytes | None:
        return None

    def close(self, code: int, reason: str) -> None:
        raise AssertionError(f"closed: {code} {reason}")

    def on_pong(self, callback: Callable[[], None]) -> None: ...

    def _take(self, payload: bytes) -> None:
        message = self.board.take(payload)
        if message["type"] == "queue":
            self.shows = ("waiting", message["number"], message["ahead"])
        elif message["type"] == "held":
            self.basket = message["seats"]
        elif message["type"] == "expired":
            self.basket = []
            if message["reason"] != "hold":
                self.shows = ("none",)


@asynccontextmanager
async def process(runtime: Runtime, event: Event, *, audit_seconds: float | None = None) -> AsyncIterator[LiveEvent]:
    """One server process's live side of the event, in step."""
    subscriptions = Subscriptions(runtime.redis)
    subscriptions.start(runtime.supervisor)
    live = LiveEvent(
        event,
        session_seconds=runtime.settings.session_seconds,
        limits=channel_limits(runtime.settings),
        clock=runtime.clock,
        supervisor=runtime.supervisor,
        subscriptions=subscriptions,
        events=runtime.events,
        waiting_room=runtime.waiting_room,
        seats=runtime.seats,
        stores=runtime.stores,
    )
    for feed in (live.seat_feed, live.queue_feed):
        feed.resync._audit_seconds = audit_seconds or feed.resync._audit_seconds
    try:
        live.open()
        await live.ready()
        yield live
    finally:
        await live.close()
        await subscriptions.stop()


def truth(place: Place | None) -> tuple[Any, ...]:
    if place is None:
        return ("none",)
    return ("waiting", place.number, place.ahead) if place.state == "waiting" else ("active",)
