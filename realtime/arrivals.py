"""All browsers come back at once: those that would wait here in vain are told when to come, each its own moment.

A process opens some hundreds of channels a second. Who comes when more are being opened than it opens before a browser
gives an opening up, is closed with RECONNECT and the seconds after which its turn is: so a crowd comes back as fast as
it can be served, and nobody is kept from it by those who gave up and came again. Rules only, no I/O.
"""

from __future__ import annotations

import math
from typing import Final

#: Channels that a process opens at once: some four seconds of its time, half of what a browser waits for one.
MOST_OPENING: Final = 5_000
#: What the pace is before anybody knows, and the least, in channels a second.
_PACE: Final = 500.0
_SLOWEST: Final = 50.0
#: How long the pace of opening is remembered, in seconds, while a crowd is here, and how long after it has gone.
_MEMORY: Final = 2.0
_FORGOTTEN: Final = 30.0
#: A crowd is this part of those that may open at once: with fewer the pace says how many came, not what can be done.
_CROWD: Final = 1 / 50
#: Nobody is sent away for longer, in seconds. What is further ahead is not known: those come spread over its last part.
_LONGEST: Final = 60
_SPREAD: Final = range(30, _LONGEST + 1)


class Arrivals:
    """`comes` for each channel; then, where it may open, `opened` or `left`, once. `now`: seconds, monotonic."""

    def __init__(self, most: int = MOST_OPENING) -> None:
        self._most = most
        self._crowd = max(1, most * _CROWD)
        self._opening = 0
        self._pace = _PACE
        #: Until when the pace is measured.
        self._paced_at = -math.inf
        #: Of those that were sent away: how many are to come in which second.
        self._due: dict[int, int] = {}
        self._second = 0
        #: Every second before this one has all that it can take.
        self._free = 0
        self._spread = 0

    @property
    def full(self) -> bool:
        """Who comes now is sent away."""
        return self._opening >= self._most

    def comes(self, now: float) -> int | None:
        """None: it may open. Else the whole seconds after which it is to come again."""
        if not self.full:
            self._opening += 1
            if self._opening == math.ceil(self._crowd):
                self._gathers(now)
            return None
        due = self._turn(int(now))
        self._due[due] = self._due.get(due, 0) + 1
        return due - int(now)

    def opened(self, now: float) -> None:
        if self._opening >= self._crowd:
            self._pace = self._pace * math.exp((self._paced_at - now) / _MEMORY) + 1 / _MEMORY
            self._paced_at = now
        self._opening -= 1

    def left(self) -> None:
        """It was lost before it was open, which says nothing of the pace."""
        self._opening -= 1

    def _gathers(self, now: float) -> None:
        """What was between two crowds is no part of the pace, and what was long ago says nothing of it."""
        if now - self._paced_at > _FORGOTTEN:
            self._pace = _PACE
        self._paced_at = now

    def _turn(self, second: int) -> int:
        """The first second after those who are being opened in which no more are to come than can be opened in one."""
        if second != self._second:
            self._second = self._free = second
            self._due = {due: count for due, count in self._due.items() if due > second}
        pace = max(self._pace, _SLOWEST)
        due = max(self._free, second + max(1, math.ceil(self._opening / pace)))
        while due <= second + _LONGEST and self._due.get(due, 0) >= pace:
            due += 1
        self._free = due
        if due <= second + _LONGEST:
            return due
        self._spread += 1
        return second + _SPREAD[self._spread % len(_SPREAD)]


def come_back_after(seconds: int) -> str:
    """What the close frame says: for a page to read, and for whoever looks."""
    return f"many come at once: reconnect after {seconds} s"
