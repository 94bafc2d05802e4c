"""The board for callers without a live channel: few reads of the store, and never an answer older than the question.

Whoever asks gets a board that was read after they asked, so a caller always sees their own hold. All who ask while a
read is under way, or within the pause after it began, share the next one. The pause grows with how many ask and with
how long a read takes (`realtime/gathering.py`): a single caller is answered at once.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from functools import partial

import orjson

from core.clock import Clock
from core.process.once import Once
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
    """The reads of one event."""

    def __init__(self, read: Read, clock: Clock, pause: float) -> None:
        self._read = read
        self._clock = clock
        self._gathering = Gathering(pause)
        self._turn = asyncio.Lock()
        #: When the next read may begin, by the monotonic clock.
        self._due = float("-inf")
        self._asked = 0
        self._next = Once[Body]("board")
        self._snapshot: BoardSnapshot | None = None
        self._body: Body | None = None

    async def fresh(self, event: Event) -> Body:
        self._asked += 1
        return await self._next(event.slug, partial(self._when_due, event))

    async def _when_due(self, event: Event) -> Body:
        async with self._turn:
            wait = self._due - self._clock.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            # From here on the read may miss what happens: who asks now needs the next one.
            self._next.forget(event.slug)
            began, asked, self._asked = self._clock.monotonic(), self._asked, 0
            try:
                snapshot = await self._read(event)
                if self._body is None or snapshot != self._snapshot:
                    self._snapshot, self._body = snapshot, encode(snapshot)
                return self._body
            finally:
                took = self._clock.monotonic() - began
                self._due = began + self._gathering.pause(began, took, asked)


def encode(snapshot: BoardSnapshot) -> Body:
    content = orjson.dumps(
        {
            "epoch": snapshot.epoch,
            "version": snapshot.version,
            "states": base64.b64encode(snapshot.states).decode(),
        }
    )
    return Body(content, f"{snapshot.epoch}-{snapshot.version}", "application/json", quick=True)
