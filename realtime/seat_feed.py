"""One event's seat changes, from Redis to this process's browsers.

Subscribe, then fetch the snapshot, then apply what came meanwhile. Changes are gathered for `coalesce_ms` and leave
as one `seats` message; the first one after a calm leaves at once. A gap, a new epoch or a lost connection
leads to a new snapshot, which every browser gets as one `board` message, encoded once.
"""

from __future__ import annotations

import asyncio
import base64
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import orjson
import structlog

from core.errors import OnsaleError
from core.seats.board import BoardSnapshot
from realtime import metrics, wire
from realtime.board_mirror import BoardMirror
from realtime.connection import Connection
from realtime.frames import Frame, text_frame
from realtime.hub import Hub
from realtime.tasks import end, watched

log = structlog.get_logger(__name__)

_RETRY_SECONDS: Final = (0.1, 2.0)
#: How often the mirror is compared with Redis: the net under everything above it.
_AUDIT_SECONDS: Final = 15.0
#: What was published before the comparison has arrived by then.
_AUDIT_PATIENCE_SECONDS: Final = 2.0

Fetch = Callable[[], Awaitable[BoardSnapshot]]
#: The visitor, and what changed in the basket: [(ordinal, state)].
BasketChanged = Callable[[str, Sequence[tuple[int, int]]], None]


class SeatFeed:
    """`fetch` gives the event's snapshot; `start`, then wait for `ready`."""

    def __init__(
        self,
        slug: str,
        hub: Hub,
        fetch: Fetch,
        *,
        coalesce_ms: float,
        audit_seconds: float = _AUDIT_SECONDS,
        basket_changed: BasketChanged = lambda visitor, changes: None,
    ) -> None:
        self._slug = slug
        self._hub = hub
        self._fetch = fetch
        self._coalesce = coalesce_ms / 1000
        self._audit_seconds = audit_seconds
        self._basket_changed = basket_changed
        self._mirror = BoardMirror()
        self._board_frame: tuple[tuple[int, int], Frame] | None = None
        self._work = asyncio.Event()
        self._board_due = False
        self._fetching: asyncio.Task[None] | None = None
        self._fetch_again = False
        self._tasks: list[asyncio.Task[None]] = []
        self.ready = asyncio.Event()

    def start(self) -> None:
        self._tasks = [
            watched(self._send(), name=f"realtime.seats.{self._slug}"),
            watched(self._audit(), name=f"realtime.audit.{self._slug}"),
        ]

    async def stop(self) -> None:
        await end(*self._tasks, self._fetching)

    # What the subscription tells.

    def subscribed(self) -> None:
        self._resync("subscribed" if self._mirror.loaded else "start")

    def message(self, data: bytes) -> None:
        told = orjson.loads(data)
        if not self._mirror.receive(told["epoch"], told["version"], told["changes"]):
            self._resync("gap")
        self._work.set()
        if by := told.get("by"):
            self._basket_changed(by, told["changes"])

    # What a browser asks.

    def watch(self, connection: Connection) -> None:
        """The board now, and every change from here on."""
        self._hub.add(connection)
        if self._mirror.loaded:
            self._hub.send(connection, self._board())
        # Else the first snapshot goes to everybody who watches.

    def sync(self, connection: Connection, epoch: int, version: int) -> None:
        """The board unless the browser has it, and every change from here on."""
        if not self._mirror.loaded:
            self._hub.add(connection)
            return
        snapshot = self._mirror.snapshot()
        if (epoch, version) == (snapshot.epoch, snapshot.version):
            self._hub.add(connection)
        else:
            self.watch(connection)

    def unwatch(self, connection: Connection) -> None:
        self._hub.discard(connection)

    @property
    def version(self) -> tuple[int, int]:
        """(epoch, counter) of what browsers in step have."""
        snapshot = self._mirror.snapshot()
        return snapshot.epoch, snapshot.version

    def states(self) -> bytes:
        return self._mirror.snapshot().states

    # Inside.

    def _board(self) -> Frame:
        snapshot = self._mirror.snapshot()
        version = (snapshot.epoch, snapshot.version)
        if self._board_frame is None or self._board_frame[0] != version:
            states = base64.b64encode(snapshot.states).decode()
            message = wire.encode("board", epoch=snapshot.epoch, version=snapshot.version, states=states)
            self._board_frame = (version, text_frame(message))
        return self._board_frame[1]

    async def _send(self) -> None:
        """The only task that broadcasts for this event: messages leave in the order of their counters."""
        while True:
            await self._work.wait()
            self._work.clear()
            began = time.monotonic()
            try:
                sent = await self._send_what_is_due()
            except Exception:
                log.exception("changes not sent", slug=self._slug)
                self._resync("error")
                sent = True
            if sent:
                await asyncio.sleep(max(0.0, self._coalesce - (time.monotonic() - began)))

    async def _send_what_is_due(self) -> bool:
        board_due, self._board_due = self._board_due, False
        if board_due:
            await self._hub.broadcast(self._board())
        batch = self._mirror.flush()
        if batch is not None:
            await self._hub.broadcast(text_frame(wire.seats(*batch)))
        return board_due or batch is not None

    def _resync(self, cause: str) -> None:
        metrics.RESYNCS.labels("seats", cause).inc()
        if self._fetching is not None and not self._fetching.done():
            # The snapshot under way may be of before this moment.
            self._fetch_again = True
            return
        self._fetching = watched(self._fetch_board(), name=f"realtime.board.{self._slug}")

    async def _fetch_board(self) -> None:
        pause, longest = _RETRY_SECONDS
        while True:
            self._fetch_again = False
            self._mirror.begin()
            try:
                snapshot = await self._fetch()
            except OnsaleError as error:
                log.warning("board not fetched", slug=self._slug, code=error.code)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, longest)
                continue
            if self._fetch_again:
                continue
            had = self.version if self._mirror.loaded else None
            whole = self._mirror.load(snapshot)
            # Who comes from here on gets this board at once; who watched already, by broadcast.
            if len(self._hub) and self.version != had:
                self._board_due = True
            if whole:
                break
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        self._board_frame = None
        self._work.set()
        self.ready.set()

    async def _audit(self) -> None:
        while True:
            await asyncio.sleep(self._audit_seconds * random.uniform(0.8, 1.2))
            if self._mirror.behind:
                continue
            try:
                snapshot = await self._fetch()
            except OnsaleError:
                continue
            await self._compare(snapshot)

    async def _compare(self, snapshot: BoardSnapshot) -> None:
        """A message that never came leaves the mirror behind, and nothing else would ever tell."""
        until = time.monotonic() + _AUDIT_PATIENCE_SECONDS
        wanted = (snapshot.epoch, snapshot.version)
        while self._mirror.head < wanted and not self._mirror.behind:
            if time.monotonic() > until:
                log.warning("board fell behind", slug=self._slug, has=self._mirror.head, wanted=wanted)
                self._resync("audit")
                return
            await asyncio.sleep(0.05)
