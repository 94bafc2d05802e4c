"""How often a provider's webhooks make us ask: one look-up in ten seconds an order, five a second in all (P6).

A flood of them costs nothing but their reading; a hint that comes too soon is kept for its time. Rules only, and the
account of one process; that of all of them is `hints_redis.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

ORDER_SECONDS: Final = 10.0
A_SECOND: Final = 5
#: Between two look-ups, whatever they are about.
PAUSE_SECONDS: Final = 1 / A_SECOND
#: A look-up that could only be made later than this is not made (the hourly comparison finds what it was about).
LONGEST_SECONDS: Final = 30.0


class Hints:
    """`now` is monotonic, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        #: Of each order its look-ups that are planned, or not older than `ORDER_SECONDS`: two at most, ascending.
        self._looks: dict[str, list[float]] = {}

    def is_kept(self, order: str) -> bool:
        """Whether the order will be looked up anyway."""
        return self._latest(order) > self._now()

    def wait(self, order: str) -> float | None:
        """How long from now the order may be looked up, in seconds, which is then taken; None: this hint is one too
        many.
        """
        now = self._now()
        recent = {known: [at for at in looks if at > now - ORDER_SECONDS] for known, looks in self._looks.items()}
        self._looks = {known: looks for known, looks in recent.items() if looks}
        if self.is_kept(order):
            return None
        at = max(now, self._latest(order) + ORDER_SECONDS)
        for taken in sorted(look for looks in self._looks.values() for look in looks):
            if taken >= at + PAUSE_SECONDS:
                break
            if taken > at - PAUSE_SECONDS:
                at = taken + PAUSE_SECONDS
        if at > now + LONGEST_SECONDS:
            return None
        self._looks.setdefault(order, []).append(at)
        return at - now

    def forget(self, order: str) -> None:
        """The turns that were taken for it are others': a hint that comes later asks anew."""
        self._looks.pop(order, None)

    def _latest(self, order: str) -> float:
        return self._looks.get(order, [-math.inf])[-1]
