"""How often a provider's webhooks make us ask: one look-up in ten seconds an order, five a second in all (P6).

A flood of them costs nothing but their reading; a hint that comes too soon after another is kept for its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

ORDER_SECONDS: Final = 10.0
A_SECOND: Final = 5
#: Orders that are remembered; when there are more, further hints are not taken up (the hourly comparison finds them).
_MOST: Final = 1_000


class Hints:
    """`now` is monotonic, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last: dict[str, float] = {}
        self._spare = float(A_SECOND)
        self._at = now()

    def wait(self, order: str) -> float | None:
        """How long from now the order may be looked up, in seconds, which is then taken; None: this hint is one too
        many.
        """
        now = self._now()
        self._spare = min(float(A_SECOND), self._spare + (now - self._at) * A_SECOND)
        self._at = now
        for old in [known for known, at in self._last.items() if at < now - ORDER_SECONDS]:
            del self._last[old]
        last = self._last.get(order)
        if last is not None and last > now:
            return None  # one is kept already
        if self._spare < 1 or len(self._last) >= _MOST:
            return None
        self._spare -= 1
        wait = max(0.0, last + ORDER_SECONDS - now) if last is not None else 0.0
        self._last[order] = now + wait
        return wait
