"""The board as every browser in step has it, and the changes on their way to it. Pure: no Redis, no sockets.

Changes come numbered (see `realtime/wire.py`). They wait here until they are sent together; only then does the mirror
take them, so that at any moment the mirror is exactly what a watching browser has been sent, and a browser that
starts to watch gets the mirror and then the same messages as everybody else.

After a gap, or while the first snapshot is on its way, changes are held back by `realtime/resync.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.seats.board import Board, BoardSnapshot, SeatState
from core.seats.known_taken import Taken

Changes = Sequence[tuple[int, int]]


class Batch(NamedTuple):
    """Changes to send: they lead from counter `version - len(changes)` to `version`."""

    epoch: int
    version: int
    changes: list[tuple[int, int]]


class BoardMessage(NamedTuple):
    """What Redis publishes: changes that lead from counter `version - len(changes)` to `version`."""

    epoch: int
    version: int
    changes: Changes


class BoardMirror:
    """`load` a snapshot, `take` messages, `flush` what is to be sent."""

    def __init__(self) -> None:
        self._board: Board | None = None
        self._epoch = -1
        self._head = -1
        self._waiting: list[BoardMessage] = []

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

    def taken(self, ordinals: Sequence[int]) -> Taken | None:
        """Which of these seats nobody can have, with the version that says so; of those that are changing nothing is
        said. None before the first snapshot.
        """
        if self._board is None:
            return None
        states, size = self._board.states, len(self._board.states)
        changing = {ordinal for message in self._waiting for ordinal, _ in message.changes}
        found = [
            ordinal
            for ordinal in ordinals
            if ordinal < size and ordinal not in changing and states[ordinal] != SeatState.AVAILABLE
        ]
        return Taken(found, self._board.epoch, self._board.version)

    def withdraw(self) -> list[BoardMessage]:
        """What was taken and not sent yet: it may be newer than the snapshot that is fetched next, so take it again."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def load(self, snapshot: BoardSnapshot) -> None:
        """The snapshot that was fetched. Browsers that watch need it, unless its version is what they had."""
        self._waiting = []
        self._board = Board(snapshot)
        self._epoch, self._head = snapshot.epoch, snapshot.version

    def take(self, message: BoardMessage) -> bool:
        """One message. False: there is a gap before it."""
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
        self._waiting.append(BoardMessage(epoch, version, changes[self._head - first :]))
        self._head = version
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
