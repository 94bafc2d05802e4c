"""A quantile of the last minute out of a histogram that only ever grows. Pure: times are passed in, in seconds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Windowed:
    """`quantile` in the histogram's unit, None when nothing was counted; `count` observations in `seconds`."""

    quantile: float | None
    count: int
    seconds: float


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """The value that `share` of the observations do not pass, as Prometheus' `histogram_quantile` reckons it.

    `buckets` maps upper bounds to cumulative counts. None when there are no observations; within a bucket they are
    taken to be spread evenly; beyond the last finite bound that bound is given.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if total <= 0:
        return None
    wanted, below, lower = share * total, 0.0, 0.0
    for bound in bounds:
        count = buckets[bound]
        if count >= wanted and count > below:
            if math.isinf(bound):
                return lower
            # Rounding must not carry it out of its bucket.
            return min(bound, lower + (bound - lower) * ((wanted - below) / (count - below)))
        if not math.isinf(bound):
            below, lower = count, bound
    return lower


class Window:
    """Remembers how the buckets stood, and tells what was added within `seconds`."""

    def __init__(self, seconds: float, share: float) -> None:
        self._seconds = seconds
        self._share = share
        self._seen: deque[tuple[float, dict[float, float]]] = deque()

    def look(self, buckets: Mapping[float, float], now: float) -> Windowed:
        """Adds a look. The window is as long as the looks at hand, up to the one that is just older than `seconds`."""
        self._seen.append((now, dict(buckets)))
        while len(self._seen) > 2 and self._seen[1][0] <= now - self._seconds:
            self._seen.popleft()
        began, before = self._seen[0]
        added = {bound: count - before.get(bound, 0.0) for bound, count in buckets.items()}
        count = round(added[max(added)]) if added else 0
        return Windowed(quantile(added, self._share), count, now - began)
