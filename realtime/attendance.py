"""What this process knows of one visitor at one event, and the visitor's open tabs.

News of a visitor comes by two ways: answers to the visitor's own calls, and the queue channel. Each fact carries the
queue's version, so that the older of two is recognised; `revision` counts the news, so that whoever waits for an
answer sees that news came meanwhile.

`Attendances` alone makes and forgets them. Where the visitor stands is written by the queue feed only, what the tabs
know of the basket by `realtime/baskets.py` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

from core.seats.board import SeatState
from core.waiting_room.place import Entry, PlaceState
from realtime.pacing import ToldPlace
from realtime.wire import ExpiredReason


class Tab(Protocol):
    """One open channel of the visitor, as far as news go. Nothing here waits."""

    def told_entered(self) -> None: ...

    def told_waiting(self) -> None: ...

    def told_admitted(self) -> None: ...

    def told_expired(self, reason: ExpiredReason) -> None: ...

    def told(self, message: bytes) -> None: ...


class Attendance:
    """`state` None: neither entered, nor waiting, nor active. `version`: the queue's version at which that was so."""

    __slots__ = (
        "ended",
        "entry",
        "number",
        "revision",
        "state",
        "tabs",
        "told_basket",
        "told_place",
        "told_until",
        "until",
        "version",
        "visitor",
    )

    def __init__(self, visitor: str) -> None:
        self.visitor = visitor
        self.tabs: list[Tab] = []
        self.state: PlaceState | None = None
        self.number = 0
        self.until: datetime | None = None
        #: Why a visitor who is in nothing was put out of what they were in, where that is known.
        self.ended: ExpiredReason | None = None
        #: While the state is ENTERED.
        self.entry: Entry | None = None
        self.version = -1
        self.revision = 0
        #: What the tabs were told last.
        self.told_place: ToldPlace | None = None
        #: The seats of the basket as the tabs were told last; None: not known here.
        self.told_basket: frozenset[int] | None = None
        #: And until when they are kept.
        self.told_until: datetime | None = None

    def knows(self, changes: Iterable[tuple[int, int]]) -> bool:
        """Whether the tabs were told a basket in which these changes to it, [(ordinal, state)], are done."""
        told = self.told_basket
        return told is not None and all((state == SeatState.HELD) == (ordinal in told) for ordinal, state in changes)

    def enters(self, entry: Entry, version: int) -> bool:
        """True when that is news, and the tabs were told. That others enter as well is no news of this visitor."""
        known = self.entry
        news = known is None or (known.receipt, known.draw_at) != (entry.receipt, entry.draw_at)
        self.state, self.number, self.until, self.version = PlaceState.ENTERED, 0, None, version
        self.entry = entry
        self.revision += 1
        if news:
            for tab in self.tabs:
                tab.told_entered()
        return news

    def waits(self, number: int, version: int, *, tell: bool = True) -> bool:
        """True when that is news, and the tabs were told; with `tell` False that is left to the caller."""
        news = self.state is not PlaceState.WAITING or self.number != number
        self.state, self.number, self.until, self.version = PlaceState.WAITING, number, None, version
        self.entry = None
        self.revision += 1
        if news and tell:
            for tab in self.tabs:
                tab.told_waiting()
        return news

    def admitted(self, number: int, until: datetime, version: int) -> bool:
        """True when that is news, and the tabs were told."""
        news = self.state is not PlaceState.ACTIVE or self.until != until
        self.state, self.number, self.until, self.version = PlaceState.ACTIVE, number, until, version
        self.entry = None
        self.told_place = None
        self.revision += 1
        if news:
            for tab in self.tabs:
                tab.told_admitted()
        return news

    def lasts(self, until: datetime) -> None:
        """The session of who is in ends later than was told: the tabs are told."""
        if self.state is PlaceState.ACTIVE and self.until is not None and until > self.until:
            self.admitted(self.number, until, self.version)

    def expired(self, reason: ExpiredReason, version: int) -> bool:
        """True when that is news, and the tabs were told."""
        news = self.state is not None
        self.state, self.number, self.until, self.entry = None, 0, None, None
        self.told_basket = None
        self.version = max(self.version, version)
        self.told_place = None
        self.revision += 1
        if news:
            for tab in self.tabs:
                tab.told_expired(reason)
        return news

    def tell(self, message: bytes) -> None:
        for tab in self.tabs:
            tab.told(message)


class Attendances:
    """The visitors of one event who have a tab open in this process."""

    def __init__(self) -> None:
        self._of_visitor: dict[str, Attendance] = {}

    def __len__(self) -> int:
        return len(self._of_visitor)

    def __iter__(self) -> Iterator[Attendance]:
        """All as they are now; the caller may wait between two of them."""
        return iter(list(self._of_visitor.values()))

    def get(self, visitor: str) -> Attendance | None:
        return self._of_visitor.get(visitor)

    def visitors(self) -> list[str]:
        return list(self._of_visitor)

    def attend(self, visitor: str, tab: Tab) -> Attendance:
        """A tab is opened."""
        attendance = self._of_visitor.get(visitor)
        if attendance is None:
            attendance = self._of_visitor[visitor] = Attendance(visitor)
        attendance.tabs.append(tab)
        return attendance

    def part(self, attendance: Attendance, tab: Tab) -> bool:
        """A tab is closed. True when it was the visitor's last one: the attendance is over."""
        attendance.tabs.remove(tab)
        if attendance.tabs:
            return False
        del self._of_visitor[attendance.visitor]
        return True
