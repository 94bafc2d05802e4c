"""How long what comes is gathered before all of it goes out at once: not at all in a calm, up to `longest` in a rush.

The first of what comes after a calm goes at once. After each sending the next one waits so long that

* sending takes a quarter of the process' time at most: what goes to a thousand browsers is gathered for longer than
  what goes to ten;
* more comes together the more comes: up to `CALM` a second nothing waits for company, from `RUSH` on all of `longest`.

Rules only, no I/O: the caller says what the time is.
"""

from __future__ import annotations

import math
from typing import Final

#: Sending, as a share of the time between the beginnings of two.
_SHARE: Final = 0.25
#: So many a second and fewer are sent one by one; so many and more are gathered for as long as is allowed.
CALM: Final = 200.0
RUSH: Final = 1_000.0
#: How long a rate is remembered, in seconds: so quickly the pause follows it.
_MEMORY: Final = 0.5


class Gathering:
    """`pause` after each sending."""

    def __init__(self, longest: float) -> None:
        """`longest` is in seconds."""
        self._longest = longest
        self._rate = 0.0
        self._at = -math.inf

    def pause(self, now: float, took: float, count: int) -> float:
        """Seconds from the beginning of a sending to that of the next one: it began `now` (a monotonic clock's
        seconds), kept the process busy for `took` seconds, and was of `count`.
        """
        self._rate = self._rate * math.exp((self._at - now) / _MEMORY) + count / _MEMORY
        self._at = now
        company = (self._rate - CALM) / (RUSH - CALM) * self._longest
        return min(self._longest, max(took / _SHARE, company))
