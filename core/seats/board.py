"""The board: one byte a seat, and a version that tells when a copy has missed something (rule 6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum


class SeatState(IntEnum):
    """What a browser draws. A seat being paid for is HELD: nobody else can tell the difference."""

    AVAILABLE = 0
    HELD = 1
    SOLD = 2
    BLOCKED = 3


#: What the board shows of each `seats.status` of PostgreSQL, where nobody holds the seat.
STATE_OF_STATUS = {
    "AVAILABLE": SeatState.AVAILABLE,
    "PAYING": SeatState.HELD,
    "SOLD": SeatState.SOLD,
    "BLOCKED": SeatState.BLOCKED,
    # Given back, and for nobody but the waiting list: until it is on the map again it looks as it did.
    "RETURNED": SeatState.SOLD,
}


@dataclass(frozen=True, slots=True)
class BoardSnapshot:
    """`states` has one byte a seat, in ordinal order; `version` is the counter within the epoch."""

    epoch: int
    version: int
    states: bytes


class Board:
    """A copy of an event's board that is kept in step by changes.

    The counter grows by one with each change of one seat, so a message with n changes that ends at `version` follows
    on from a copy of version `version - n`. Whatever the order, loss or repetition of messages, a copy either equals
    the board at its version or says that it needs a snapshot.
    """

    def __init__(self, snapshot: BoardSnapshot) -> None:
        self.epoch = snapshot.epoch
        self.version = snapshot.version
        self.states = bytearray(snapshot.states)

    def apply(self, epoch: int, version: int, changes: Sequence[tuple[int, int]]) -> bool:
        """False: a gap, take a snapshot. A message that the copy already contains changes nothing and is True."""
        if epoch != self.epoch:
            # An older epoch's late message says nothing about this copy; a newer one's makes the copy void.
            return epoch < self.epoch
        if version <= self.version:
            return True
        if version - len(changes) != self.version:
            return False
        for ordinal, state in changes:
            self.states[ordinal] = state
        self.version = version
        return True

    def snapshot(self) -> BoardSnapshot:
        return BoardSnapshot(self.epoch, self.version, bytes(self.states))

    def count(self, state: SeatState) -> int:
        return self.states.count(state)


def differences(before: bytes, after: bytes) -> Iterable[tuple[int, int]]:
    """(ordinal, new state) of every seat that differs."""
    return ((i, new) for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new)
