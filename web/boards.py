"""The board for callers without a live channel: few reads of the store, and never an answer older than the question.

Whoever asks gets a board that was read after they asked, so a caller always sees their own hold. All who ask while a
read is under way, or within the pause after it began, share the next one. The pause grows with how many ask and with
how long a read takes (`realtime/gathering.py`): a single caller is answered at once.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable

import orjson

from core.clock import Clock
from core.process.gathered import own_error
from core.process.tasks import awaited
from core.seats.board import BoardSnapshot
from core.venue.event import Event
from realtime.gathering import Gathering
from web.caching import Body

Read = Callable[[Event], Awaitable[BoardSnapshot]]


class Boards:
    """`read` is `Seats.board`; `pause_seconds` is the longest between the beginnings of two reads of one event."""

    def __init__(self, read: Read, clock: Clock, *, pause_seconds: float) -> None:
        self._read = read
        self._clock = clock
        self._pause = pause_seconds
        self._events: dict[str, _Shared] = {}

    async def body(self, event: Event) -> Body:
        """The answer of `GET /api/events/{slug}/board`. Raises StoreUnavailable."""
        shared = self._events.get(event.slug)
        if shared is None:
            shared = self._events[event.slug] = _Shared(self._read, self._clock, self._pause)
        return await shared.fresh(event)


class _Shared:
    """The reads of one event, one after the other, each by one task for all who wait for it."""

    def __init__(self, read: Read, clock: Clock, pause: float) -> None:
        self._read = read
        self._clock = clock
        self._gathering = Gathering(pause)
        self._event: Event
        #: When the next read may begin, by the monotonic clock.
        self._due = float("-inf")
        #: Who asked since the last read began: a future each, so that one who goes away takes nobody's answer.
        self._waiting: list[asyncio.Future[Body]] = []
        self._reader: asyncio.Task[None] | None = None
        self._snapshot: BoardSnapshot | None = None
        self._body: Body | None = None

    def fresh(self, event: Event) -> asyncio.Future[Body]:
        asked: asyncio.Future[Body] = asyncio.get_running_loop().create_future()
        self._waiting.append(asked)
        self._event = event
        if self._reader is None:
            # It goes on when those who asked have gone: a driver that is cancelled would first talk to its server.
            self._reader = awaited(f"board {event.slug}", self._read_for_all())
        return asked

    async def _read_for_all(self) -> None:
        try:
            while self._waiting:
                wait = self._due - self._clock.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                await self._read_for(self._waiting)
        finally:
            # Here and not when the task is reaped: who asks in between must start a new one.
            self._reader = None
            for asked in self._waiting:
                asked.cancel()  # only where this task was cancelled
            self._waiting = []

    async def _read_for(self, all_of_them: list[asyncio.Future[Body]]) -> None:
        # From here on the read may miss what happens: who asks now needs the next one.
        self._waiting = []
        began = self._clock.monotonic()
        try:
            snapshot = await self._read(self._event)
            if self._body is None or snapshot != self._snapshot:
                self._snapshot, self._body = snapshot, encode(snapshot)
            body = self._body
        except asyncio.CancelledError:
            self._waiting += all_of_them
            raise
        except Exception as error:
            for asked in all_of_them:
                if not asked.done():
                    asked.set_exception(own_error(error))
        else:
            for asked in all_of_them:
                if not asked.done():
                    asked.set_result(body)
        finally:
            took = self._clock.monotonic() - began
            self._due = began + self._gathering.pause(began, took, len(all_of_them))


def encode(snapshot: BoardSnapshot) -> Body:
    content = orjson.dumps(
        {
            "epoch": snapshot.epoch,
            "version": snapshot.version,
            "states": base64.b64encode(snapshot.states).decode(),
        }
    )
    return Body(content, f"{snapshot.epoch}-{snapshot.version}", "application/json", quick=True)
