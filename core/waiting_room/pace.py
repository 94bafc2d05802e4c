"""How long a visitor will wait, from how fast the active make room."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from core.clock import from_millis

#: Below this many departures a minute the measured pace says nothing yet.
_SLOWEST_PACE = 0.5
#: The next sweep comes within this long, and lets in as many as there is room for.
_NEXT_SWEEP_SECONDS: Final = 1


def eta_seconds(
    ahead: int, pace_per_minute: float | None, active_limit: int, session_seconds: float, room: int = 0
) -> int | None:
    """Seconds until the visitor with `ahead` others before is let in, rounded up. For the first `room` there is room
    already: they stand in nobody's way.

    With no measured pace: the longest it can take when every session lasts its full time, which is a promise that can
    only turn out better. None when there is no room at all to reckon with.
    """
    if ahead < 0 or active_limit < 1:
        return None
    ahead -= room
    if ahead < 0:
        return _NEXT_SWEEP_SECONDS
    if pace_per_minute is not None and pace_per_minute >= _SLOWEST_PACE:
        return math.ceil((ahead + 1) * 60 / pace_per_minute)
    return math.ceil((ahead // active_limit + 1) * session_seconds)


class Wait(NamedTuple):
    """The wait is told as a band: from `low` to `high` seconds."""

    low: int
    high: int


#: Before the sale has a record of its own: which shares of the expected wait to reckon with.
USUAL_SPREAD: Final = (0.75, 1.35)


def wait_band(expected: int | None, spread: tuple[float, float] | None) -> Wait | None:
    """What a visitor is told (F9). `spread`: which shares of what was expected the waits of four in five of those in
    front have come to. None when nothing is known.
    """
    if expected is None:
        return None
    low, high = spread or USUAL_SPREAD
    return Wait(math.floor(expected * low), max(math.ceil(expected * high), math.floor(expected * low) + 1))


@dataclass(frozen=True, slots=True)
class PastWait:
    """What was promised to one who came in, and what it was; seconds."""

    joined_at: datetime
    promised: Wait
    actual: int

    @property
    def kept(self) -> bool:
        return self.promised.low <= self.actual <= self.promised.high


def past_wait(text: str) -> PastWait:
    """From an entry of the record (`lua/queue.lua`)."""
    joined, expected, low, high, waited = text.split("|")
    band = wait_band(int(expected), (float(low), float(high)) if low and high else None)
    assert band is not None  # noqa: S101 - something was expected
    return PastWait(from_millis(float(joined)), band, int(waited))
