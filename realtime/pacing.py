"""When a waiting visitor hears of a new place: at once near the head, by turns further back. Rules only, no I/O.

A queue of 20,000 browsers whose head moves each second could keep a process busy with nothing else. So who is near
the head hears each change at the next tick, and the others share a budget in the order in which they became due: a
visitor who is due stays in turn, whatever changes meanwhile, and is told the place of the moment when the turn comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

#: Visitors with at most this many before them hear each change of their place at the next tick.
NEAR: Final = 100
#: Of a figure that is no place, a change that is worth a message: more than this many, and more than a tenth.
_LEAST_CHANGE: Final = 5


class ToldPlace(NamedTuple):
    """What a `queue` message said: visitors ahead, all who wait, seconds to go."""

    ahead: int
    waiting: int
    eta: int | None
    #: The end of the band that the wait is told as.
    longest: int | None = None


def worth_telling(told: ToldPlace | None, now: ToldPlace) -> bool:
    """A place that moved; or another figure that is off by more than a tenth and five."""
    if told is None or told.ahead != now.ahead:
        return True
    if told.eta is None or now.eta is None:
        return told.eta is not now.eta
    return any(
        abs(old - new) > max(_LEAST_CHANGE, old // 10)
        for old, new in ((told.eta, now.eta), (told.waiting, now.waiting), (told.longest or 0, now.longest or 0))
    )


class Pacing:
    """`mark` who has news; `due` at each tick."""

    def __init__(self) -> None:
        self._near: dict[str, None] = {}
        self._far: dict[str, None] = {}

    def __len__(self) -> int:
        """Visitors who are due."""
        return len(self._near) + len(self._far)

    def mark(self, visitor: str, ahead: int) -> None:
        if ahead <= NEAR:
            self._far.pop(visitor, None)
            self._near[visitor] = None
        elif visitor not in self._near:
            self._far.setdefault(visitor, None)

    def forget(self, visitor: str) -> None:
        self._near.pop(visitor, None)
        self._far.pop(visitor, None)

    def due(self, budget: int) -> Iterator[str]:
        """All who are near, then `budget` others. Each is due no more once it is given: what follows stays due when
        the caller stops in the middle, and whoever is forgotten meanwhile is given no more."""
        for visitors, most in ((self._near, len(self._near)), (self._far, budget)):
            for _ in range(most):
                if not visitors:
                    break
                yield _first(visitors)


def _first(visitors: dict[str, None]) -> str:
    visitor = next(iter(visitors))
    del visitors[visitor]
    return visitor
