"""Who would wait in vain is refused at once (R8): the line in front of a store, and how long it is in time. Rules only.

A call may stand in line for so long and is refused then. From how many stand there, and how fast they lately left it to
be served, follows what the next one would wait: where that is longer than it may wait, it is told so before it has
waited. What is under way is not touched, and calls that end something (a release, a beat, what a provider sends) never
ask: only those that begin something do, payments last.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from enum import Enum
from typing import Final

from prometheus_client import Counter

from core.errors import StoreUnavailable
from core.process.waits import Wait

REFUSED = Counter(
    "onsale_refused_early", "Calls refused at once because the line in front of a store was too long", ["store"]
)

#: How fast a line moves is known after it has stood for so long, and forgotten as fast as this, in seconds.
_SURE_SECONDS: Final = 2.0
_MEMORY_SECONDS: Final = 2.0
_RECENT_SECONDS: Final = 60.0
#: When who was refused is asked to come back, in seconds: spread, so that they do not come back in one wave.
_SOONEST: Final = 2.0
_LATEST: Final = 10.0


class Begins(Enum):
    """What a call that may be refused early begins, and by how many times its wait must be too long for that."""

    ANYTHING = 1.0
    PAYMENT = 1.5


class Pace:
    """How long who joins a line now will stand in it. `now`: steady seconds, never less than before."""

    def __init__(self) -> None:
        self.waiting = 0
        self._since = 0.0
        self._at = 0.0
        # Sums that fade: who left to be served, and the time for which the line stood meanwhile.
        self._served = 0.0
        self._stood = 0.0

    def join(self, now: float) -> None:
        if not self.waiting:
            # What it was like before the line had gone says nothing of this one.
            self._since = self._at = now
            self._served = self._stood = 0.0
        self.waiting += 1

    def leave(self, now: float, served: int, others: int = 0) -> None:
        """`others` left it unserved: they had given up."""
        self._fade(now)
        self._served += served
        self.waiting = max(0, self.waiting - served - others)

    def seconds(self, now: float) -> float:
        """0 where there is no line, or it is too young to tell."""
        if not self.waiting or now - self._since < _SURE_SECONDS:
            return 0.0
        self._fade(now)
        # One more than were served: a line that has not moved yet may do so any moment.
        return (self.waiting + 1) * self._stood / (self._served + 1)

    def _fade(self, now: float) -> None:
        if not self.waiting or now <= self._at:
            return
        kept = math.exp(-(now - self._at) / _MEMORY_SECONDS)
        self._served *= kept
        self._stood = self._stood * kept + _MEMORY_SECONDS * (1 - kept)
        self._at = now


class Line:
    """The line in front of one store, in one process."""

    def __init__(
        self,
        store: str,
        *,
        most: float,
        most_busy: float,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[], Wait] = Wait,
    ) -> None:
        """`most`: seconds that a call may wait; `most_busy`: where it is this process that has no time."""
        self._store = store
        self._most = most
        self._most_busy = most_busy
        self._monotonic = monotonic
        self._make_wait = wait
        self._pace = Pace()
        self._wait = wait()
        self._refused = 0
        self._refused_at = -math.inf

    @property
    def waiting(self) -> int:
        return self._pace.waiting

    def join(self) -> None:
        if not self._pace.waiting:
            self._wait = self._make_wait()
        self._pace.join(self._monotonic())

    def leave(self, served: int, others: int = 0) -> None:
        self._pace.leave(self._monotonic(), served, others)

    def require(self, begins: Begins) -> None:
        """Raises StoreUnavailable, with nothing changed: the call would be refused after its wait."""
        seconds = self._pace.seconds(self._monotonic())
        if seconds <= begins.value * self._most:
            return
        if self._wait.is_our_own_fault() and seconds <= begins.value * self._most_busy:
            return
        self._note()
        raise StoreUnavailable(
            "Very many are being served at this moment: nothing was changed, try again in a few seconds",
            retry_after=random.uniform(_SOONEST, min(_LATEST, max(_SOONEST, seconds))),
        )

    def recently_refused(self) -> int:
        """How many calls were refused within the last minute."""
        return self._refused if self._monotonic() - self._refused_at < _RECENT_SECONDS else 0

    def _note(self) -> None:
        self._refused = self.recently_refused() + 1
        self._refused_at = self._monotonic()
        REFUSED.labels(self._store).inc()
