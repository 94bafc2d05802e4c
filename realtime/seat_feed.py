"""One event's seat changes, from Redis to this process's browsers.

Subscribe, then fetch the snapshot, then apply what came meanwhile (`realtime/resync.py`). The first change after a calm
leaves at once; the more come, and to the more browsers they go, the longer they are gathered, up to `coalesce_ms`, and
leave as one `seats` message (`realtime/gathering.py`). A gap, a new epoch or a lost connection leads to a new snapshot,
which every browser gets as one `board` message, encoded once.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import orjson

from core.process.supervisor import Service, Supervisor
from core.process.tasks import cancelled
from core.seats.board import BoardSnapshot
from core.seats.known_taken import Taken
from realtime import wire
from realtime.board_mirror import BoardMessage, BoardMirror
from realtime.connection import Connection
from realtime.frames import Frame, text_frame
from realtime.gathering import Gathering
from realtime.hub import Hub
from realtime.resync import PAUSES, Resync

#: How often the mirror is compared with Redis: the net under everything above it.
_AUDIT_SECONDS: Final = 15.0
#: Messages held back while a snapshot is fetched, at most; a fetch that takes longer than that many is made again.
MOST_HELD: Final = 20_000

#: The visitor, and what changed in the basket: [(ordinal, state)].
BasketChanged = Callable[[str, Sequence[tuple[int, int]]], None]


class SeatFeed:
    """`board` gives the event's snapshot; `start`, then wait for `ready`. Implements `resync.Replica`."""

    def __init__(
        self,
        slug: str,
        hub: Hub,
        board: Callable[[], Awaitable[BoardSnapshot]],
        *,
        coalesce_ms: float,
        audit_seconds: float = _AUDIT_SECONDS,
        basket_changed: BasketChanged = lambda visitor, changes: None,
        resynced: Callable[[], None] = lambda: None,
    ) -> None:
        self._slug = slug
        self._hub = hub
        self._fetch_board = board
        self._gathering = Gathering(coalesce_ms / 1000)
        self._basket_changed = basket_changed
        self._resynced = resynced
        self._mirror = BoardMirror()
        self._board_frame: tuple[tuple[int, int], Frame] | None = None
        self._work = asyncio.Event()
        self._board_due = False
        self.resync: Resync[BoardSnapshot, BoardMessage] = Resync(
            "seats", slug, self, most_held=MOST_HELD, audit_seconds=audit_seconds
        )
        self.ready = self.resync.ready

    def start(self, supervisor: Supervisor) -> list[Service]:
        return [
            *self.resync.start(supervisor),
            supervisor.run_forever(f"realtime.seats {self._slug}", self._send, backoff=PAUSES),
        ]

    # What the subscription tells.

    def subscribed(self) -> None:
        self.resync.begin("subscribed" if self._mirror.loaded else "start")

    def message(self, data: bytes) -> None:
        told = orjson.loads(data)
        self.resync.hear(BoardMessage(told["epoch"], told["version"], told["changes"]))
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

    def taken(self, ordinals: Sequence[int]) -> Taken | None:
        """See `known_taken.Mirror`."""
        return None if self.resync.behind_for() else self._mirror.taken(ordinals)

    # What `Resync` keeps in step.

    async def fetch(self) -> BoardSnapshot:
        return await self._fetch_board()

    def load(self, state: BoardSnapshot) -> None:
        had = self.version if self._mirror.loaded else None
        self._mirror.load(state)
        self._board_frame = None
        # Who comes from here on gets this board at once; who watched already, by broadcast.
        if len(self._hub) and self.version != had:
            self._board_due = True
        self._work.set()
        self._resynced()

    def take(self, message: BoardMessage) -> bool:
        return self._mirror.take(message)

    def withdraw(self) -> list[BoardMessage]:
        return self._mirror.withdraw()

    async def current(self) -> tuple[int, ...]:
        snapshot = await self._fetch_board()
        return snapshot.epoch, snapshot.version

    @property
    def head(self) -> tuple[int, ...]:
        return self._mirror.head

    # Inside.

    def _board(self) -> Frame:
        snapshot = self._mirror.snapshot()
        version = (snapshot.epoch, snapshot.version)
        if self._board_frame is None or self._board_frame[0] != version:
            states = base64.b64encode(snapshot.states).decode()
            message = wire.encode("board", epoch=snapshot.epoch, version=snapshot.version, states=states)
            self._board_frame = (version, text_frame(message, wire.packed_board(snapshot)))
        return self._board_frame[1]

    async def _send(self) -> None:
        """The only task that broadcasts for this event: messages leave in the order of their counters."""
        while not cancelled():
            await self._work.wait()
            self._work.clear()
            began = time.monotonic()
            try:
                count, busy = await self._send_what_is_due()
            except BaseException:
                # Some have got what others have not: all of them get the board of a new snapshot.
                self._board_due = True
                self.resync.begin("error")
                raise
            if count:
                pause = self._gathering.pause(began, busy, count) - (time.monotonic() - began)
                if pause > 0:
                    await asyncio.sleep(pause)

    async def _send_what_is_due(self) -> tuple[int, float]:
        """How many changes were sent (a board is one), and for how many seconds that kept the process busy."""
        count, busy = 0, 0.0
        board_due, self._board_due = self._board_due and self._mirror.loaded, False
        if board_due:
            busy += await self._hub.broadcast(self._board())
            count += 1
        batch = self._mirror.flush()
        if batch is not None:
            busy += await self._hub.broadcast(text_frame(wire.seats(*batch)))
            count += len(batch.changes)
        return count, busy
