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
#: How long the pace of opening is remembered, in seconds; what it is before anybody knows, and the least, a second.
_MEMORY: Final = 2.0
_PACE: Final = 500.0
_SLOWEST: Final = 50.0
#: Nobody is sent away for longer, in seconds: what is so far ahead is not known.
_LONGEST: Final = 60


class Arrivals:
    """`comes` for each channel; then `opened`, once, when it is open or lost. `now`: a monotonic clock's seconds."""

    def __init__(self, most: int = MOST_OPENING) -> None:
        self._most = most
        self._opening = 0
        self._pace = _PACE
        self._paced_at = -math.inf
        #: The turn of the last one that was sent away.
        self._last = -math.inf

    def comes(self, now: float) -> int | None:
        """None: it may open. Else the whole seconds after which it is to come again."""
        if self._opening < self._most:
            self._opening += 1
            return None
        pace = max(self._pace, _SLOWEST)
        self._last = max(self._last, now + self._opening / pace) + 1 / pace
        return min(_LONGEST, math.ceil(self._last - now))

    def opened(self, now: float) -> None:
        self._opening -= 1
        if self._paced_at == -math.inf:
            self._paced_at = now
        self._pace = self._pace * math.exp((self._paced_at - now) / _MEMORY) + 1 / _MEMORY
        self._paced_at = now


def come_back_after(seconds: int) -> str:
    """What the close frame says: for a page to read, and for whoever looks."""
    return f"many come at once: reconnect after {seconds} s"
