"""The board as every browser in step has it, and the changes on their way to it. Pure: no Redis, no sockets.

Changes come numbered (see `realtime/wire.py`). They wait here until they are sent together; only then does the mirror
take them, so that at any moment the mirror is exactly what a watching browser has been sent, and a browser that
starts to watch gets the mirror and then the same messages as everybody else.

After a gap, or while the first snapshot is on its way, changes are held back: register, fetch, apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.seats.board import Board, BoardSnapshot

Changes = Sequence[tuple[int, int]]


class Batch(NamedTuple):
    """Changes to send: they lead from counter `version - len(changes)` to `version`."""

    epoch: int
    version: int
    changes: list[tuple[int, int]]


class _Message(NamedTuple):
    epoch: int
    version: int
    changes: Changes


class BoardMirror:
    """`behind` is True while a snapshot is needed: at the start, and after a gap until `load`."""

    #: Messages held back, at most; a fetch that takes longer than that many changes starts again.
    HELD = 20_000

    def __init__(self) -> None:
        self._board: Board | None = None
        self._epoch = -1
        self._head = -1
        self._waiting: list[_Message] = []
        self._held: list[_Message] | None = []

    @property
    def behind(self) -> bool:
        return self._held is not None

    @property
    def loaded(self) -> bool:
        return self._board is not None

    @property
    def head(self) -> tuple[int, int]:
        """(epoch, counter) of the last change heard of, sent or not."""
        return self._epoch, self._head

    def snapshot(self) -> BoardSnapshot:
        """What browsers in step have. Only once `loaded`."""
        if self._board is None:
            raise LookupError("no snapshot was loaded yet")
        return self._board.snapshot()

    def begin(self) -> None:
        """A snapshot will be fetched now: whatever comes from here on is applied on top of it."""
        if self._held is None:
            # What was heard and not sent yet may be newer than the snapshot that is about to be taken.
            self._held, self._waiting = self._waiting, []

    def receive(self, epoch: int, version: int, changes: Changes) -> bool:
        """One message of the channel. False: there is a gap, fetch a snapshot (`begin`, `load`)."""
        message = _Message(epoch, version, changes)
        if self._held is not None:
            self._held.append(message)
            if len(self._held) > self.HELD:
                # Nothing is lost by forgetting: the gap this makes is found when they are applied.
                del self._held[: self.HELD // 2]
            return True
        if self._take(message):
            return True
        self.begin()
        self._held = [*(self._held or []), message]
        return False

    def load(self, snapshot: BoardSnapshot) -> bool:
        """The snapshot that was fetched, and on top of it what came meanwhile. False: still a gap, fetch again.

        Browsers that watch need the board anew (`snapshot()`) unless its version is what they had.
        """
        held, self._held, self._waiting = self._held or [], None, []
        self._board = Board(snapshot)
        self._epoch, self._head = snapshot.epoch, snapshot.version
        for at, message in enumerate(held):
            if not self._take(message):
                self._held = held[at:]
                return False
        return True

    def flush(self) -> Batch | None:
        """What browsers in step are to be sent next; the mirror has taken it."""
        if not self._waiting or self._board is None:
            return None
        changes = [change for message in self._waiting for change in message.changes]
        self._waiting = []
        if not self._board.apply(self._epoch, self._head, changes):
            raise AssertionError("the changes that wait do not follow on from the board")
        return Batch(self._epoch, self._head, changes)

    def _take(self, message: _Message) -> bool:
        epoch, version, changes = message
        if epoch != self._epoch:
            # A late message of an earlier board is no news; one of a later board makes this one void.
            return epoch < self._epoch
        if version <= self._head:
            return True
        first = version - len(changes)
        if first > self._head:
            return False
        # The part that is known already is left out: changes are numbered one by one, in order.
        self._waiting.append(_Message(epoch, version, changes[self._head - first :]))
        self._head = version
        return True
