"""Exact places of this process's waiting visitors, by arithmetic: no Redis call for each of them.

A place is known once as (number, ahead, version) when the visitor joins; from then on, each message of the queue
channel with a greater version says which numbers left and which returned, and `ahead` follows: it falls by the
numbers before one's own that left and grows by those that returned. Joins at the tail change nobody's place.

An answer from Redis and the messages of the channel come over two connections, so either may be late: what a
visitor's base has already seen is skipped, and what it has missed is made up from the messages remembered.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple


class Heard(Enum):
    """What became of a message."""

    APPLIED = auto()
    OLD = auto()  # at or before the version known: heard already, or the queue was started anew
    GAP = auto()  # something in between is missing: `reset` with fresh places


class Tracked(Enum):
    """What became of a base."""

    TRACKED = auto()
    LEFT = auto()  # this number left the queue after the base was taken: ask again
    STALE = auto()  # older than what is remembered: ask again


@dataclass(slots=True)
class Entry:
    """One waiting visitor: `ahead` counts the visitors before, as of `version`."""

    visitor: str
    number: int
    ahead: int
    version: int


class Base(NamedTuple):
    """A place as Redis gave it."""

    number: int
    ahead: int
    version: int


class _Departures(NamedTuple):
    version: int
    left: list[int]
    returned: list[int]


class Places:
    """`version`: the last message heard. `remember`: messages kept for bases that arrive late."""

    def __init__(self, version: int, remember: int = 1024) -> None:
        self.version = version
        self._bound_to = version
        self._log: deque[_Departures] = deque()
        self._remember = remember
        self._entries: dict[str, Entry] = {}
        self._changed: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, visitor: str) -> bool:
        return visitor in self._entries

    def visitors(self) -> list[str]:
        return list(self._entries)

    def track(self, visitor: str, number: int, ahead: int, version: int) -> Tracked:
        """Takes the base of a visitor, or a newer one; anything but TRACKED changes nothing."""
        oldest = self._log[0].version - 1 if self._log else self.version
        if version < oldest:
            return Tracked.STALE
        missed = [past for past in self._log if past.version > version]
        if any(_contains(past.left, number) for past in missed):
            return Tracked.LEFT
        for past in missed:
            ahead += bisect_left(past.returned, number) - bisect_left(past.left, number)
        # A base from the future of the channel keeps its version, and skips the messages up to there.
        entry = self._entries[visitor] = Entry(visitor, number, ahead, max(version, self.version))
        # One tab has asked; the others may not have heard of this place.
        self._changed[visitor] = entry
        return Tracked.TRACKED

    def forget(self, visitor: str) -> None:
        self._entries.pop(visitor, None)
        self._changed.pop(visitor, None)

    def hear(self, version: int, left: Sequence[int], returned: Sequence[int]) -> Heard:
        """One message. A message without departures carries the version that is current."""
        if not left and not returned:
            if version == self.version:
                return Heard.APPLIED
            return Heard.GAP if version > self.version else Heard.OLD
        if version <= self.version:
            return Heard.OLD
        if version != self.version + 1:
            return Heard.GAP
        self.version = version
        self._log.append(_Departures(version, sorted(left), sorted(returned)))
        if len(self._log) > self._remember:
            if self._log[0].version > self._bound_to:
                self._bound()
            self._log.popleft()
        return Heard.APPLIED

    def entries(self) -> list[Entry]:
        """All, as of `version`."""
        self._bound()
        return list(self._entries.values())

    def entry(self, visitor: str) -> Entry | None:
        """As of `version`."""
        self._bound()
        return self._entries.get(visitor)

    def changed(self) -> list[Entry]:
        """The visitors whose place may not be what it was when this was last asked."""
        self._bound()
        changed = list(self._changed.values())
        self._changed.clear()
        return changed

    def reset(self, version: int, bases: Mapping[str, Base]) -> list[str]:
        """Fresh places after a gap, or after the queue was started anew.

        `version` is the least of them. Returns (and forgets) the visitors that are not among them. Bases newer than
        these stay as they are, unless the version went back: then Redis lost the queue, and they mean nothing.
        """
        self._bound()
        anew = version < self.version
        self.version = self._bound_to = version
        self._log.clear()
        missing = []
        for visitor, entry in self._entries.items():
            base = bases.get(visitor)
            if not anew and entry.version > (version if base is None else base.version):
                continue
            if base is None:
                missing.append(visitor)
                continue
            if (entry.number, entry.ahead) != (base.number, base.ahead):
                self._changed[visitor] = entry
            entry.number, entry.ahead, entry.version = base
        for visitor in missing:
            self.forget(visitor)
        return missing

    def _bound(self) -> None:
        """Brings every entry up to `version`. All messages since the last time go in one pass over the entries."""
        if self._bound_to == self.version:
            return
        news = [past for past in self._log if past.version > self._bound_to]
        left = sorted(number for past in news for number in past.left)
        returned = sorted(number for past in news for number in past.returned)
        bound_to, version = self._bound_to, self.version
        for visitor, entry in self._entries.items():
            number = entry.number
            if entry.version == bound_to:
                step = bisect_left(returned, number) - bisect_left(left, number)
                entry.version = version
            else:
                step = _step(number, (past for past in news if past.version > entry.version))
                entry.version = max(entry.version, version)
            if step:
                entry.ahead += step
                self._changed[visitor] = entry
        self._bound_to = version


def _contains(ordered: list[int], number: int) -> bool:
    at = bisect_left(ordered, number)
    return at < len(ordered) and ordered[at] == number


def _step(number: int, news: Iterable[_Departures]) -> int:
    return sum(bisect_left(past.returned, number) - bisect_left(past.left, number) for past in news)
