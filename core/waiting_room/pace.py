"""How long a visitor will wait, from how fast the active make room."""

from __future__ import annotations

import math

#: Below this many departures a minute the measured pace says nothing yet.
_SLOWEST_PACE = 0.5


def eta_seconds(ahead: int, pace_per_minute: float | None, active_limit: int, session_seconds: float) -> int | None:
    """Seconds until the visitor with `ahead` others before is let in, rounded up.

    With no measured pace: the longest it can take when every session lasts its full time, which is a promise that can
    only turn out better. None when there is no room at all to reckon with.
    """
    if ahead < 0 or active_limit < 1:
        return None
    if pace_per_minute is not None and pace_per_minute >= _SLOWEST_PACE:
        return math.ceil((ahead + 1) * 60 / pace_per_minute)
    return math.ceil((ahead // active_limit + 1) * session_seconds)
