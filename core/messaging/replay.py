"""Replay: the seats as the event log alone tells them, and how PostgreSQL differs. Rules only (S17).

Every event carries its seats' versions, so the order in which partitions are read does not matter: of each seat the
log knows a status for each version, and what counts is the greatest version that PostgreSQL has reached.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from core.messaging.reservation_message import ReservationMessage

_UNTOUCHED = "AVAILABLE"
# What messages tell of. An organiser blocks seats that are available, what was given back waits for its buyers: of
# such a seat they know that it is nobody's.
_TOLD = (_UNTOUCHED, "PAYING", "SOLD")


@dataclass(frozen=True, slots=True)
class SeatRow:
    """A seat in PostgreSQL. `waiting`: an outbox row about it has not been sent yet."""

    event: str
    event_id: int
    ordinal: int
    status: str
    version: int
    waiting: bool = False


class Kind(StrEnum):
    STATUS = "status"
    """The log says something else than PostgreSQL."""
    AHEAD = "ahead"
    """The log has versions that PostgreSQL never had: PostgreSQL lost something."""
    CONFLICT = "conflict"
    """Two events give the same version of a seat different statuses."""
    UNKNOWN_SEAT = "unknown_seat"
    """The log sells a seat that PostgreSQL does not have."""


@dataclass(frozen=True, slots=True)
class Difference:
    kind: Kind
    event: str
    ordinal: int
    log_status: str
    log_version: int
    status: str
    version: int

    def __str__(self) -> str:
        return (
            f"{self.event} seat {self.ordinal}: {self.kind}: the log says {self.log_status} (version "
            f"{self.log_version}), PostgreSQL says {self.status} (version {self.version})"
        )


@dataclass(slots=True)
class Comparison:
    """`behind`: seats whose newest change is still in the outbox; they are not judged."""

    seats: int = 0
    behind: int = 0
    differences: list[Difference] = field(default_factory=list)


class SeatLog:
    """All seat changes of the log, in any order and any number of times each."""

    def __init__(self) -> None:
        self._slugs: dict[int, str] = {}
        self._history: defaultdict[tuple[int, int], dict[int, str]] = defaultdict(dict)
        self._conflicts: dict[tuple[int, int], tuple[int, str, str]] = {}
        self.events = 0

    def apply(self, event: ReservationMessage) -> None:
        self.events += 1
        self._slugs[event.event_id] = event.event
        for seat in event.seats:
            key = (event.event_id, seat.ordinal)
            known = self._history[key].setdefault(seat.version, seat.status)
            if known != seat.status:
                self._conflicts[key] = (seat.version, known, seat.status)

    def seat(self, event_id: int, ordinal: int, version: int) -> tuple[str, int]:
        """Status and version of a seat as of `version`: of the greatest version up to it that the log has."""
        history = self._history.get((event_id, ordinal), {})
        reached = max((each for each in history if each <= version), default=0)
        return history.get(reached, _UNTOUCHED), reached

    def compare(self, rows: Iterable[SeatRow], *, complete: bool = True) -> Comparison:
        """`rows` are PostgreSQL's, read before the log's end was. `complete`: they are all seats there are."""
        result = Comparison()
        seen: set[tuple[int, int]] = set()
        for row in rows:
            result.seats += 1
            key = (row.event_id, row.ordinal)
            seen.add(key)
            if key in self._conflicts:
                version, one, other = self._conflicts[key]
                result.differences.append(
                    Difference(
                        Kind.CONFLICT, row.event, row.ordinal, f"{one} and {other}", version, row.status, row.version
                    )
                )
                continue
            status, reached = self.seat(row.event_id, row.ordinal, row.version)
            shown = row.status if row.status in _TOLD else _UNTOUCHED
            if row.waiting:
                result.behind += 1
            elif status != shown:
                result.differences.append(
                    Difference(Kind.STATUS, row.event, row.ordinal, status, reached, row.status, row.version)
                )
        if complete:
            for (event_id, ordinal), history in self._history.items():
                if (event_id, ordinal) not in seen:
                    newest = max(history)
                    result.differences.append(
                        Difference(Kind.UNKNOWN_SEAT, self._slugs[event_id], ordinal, history[newest], newest, "-", 0)
                    )
        return result

    def ahead(self, rows: Iterable[SeatRow]) -> list[Difference]:
        """Seats whose log goes on past PostgreSQL. `rows` are PostgreSQL's, read after the log's end was."""
        found = []
        for row in rows:
            history = self._history.get((row.event_id, row.ordinal), {})
            newest = max(history, default=0)
            if newest > row.version:
                found.append(
                    Difference(Kind.AHEAD, row.event, row.ordinal, history[newest], newest, row.status, row.version)
                )
        return found
