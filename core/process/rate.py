"""How often somebody may call: the generic cell rate algorithm, a token bucket that is one number a caller.

https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm. Rules only; who keeps the number decides how long.
"""

from __future__ import annotations

from typing import Final

_MINUTE: Final = 60.0


class Rate:
    """`per_minute` calls a minute, all of which may come at once after a quiet minute.

    A caller's number is `due`: when the calls made so far would be over at an even pace (0.0 for a new caller), in
    seconds of the same monotonic clock as `now`.
    """

    __slots__ = ("_pause",)

    def __init__(self, per_minute: int) -> None:
        self._pause = _MINUTE / per_minute

    def after(self, due: float, now: float) -> float:
        """`due` after one more call."""
        return max(due, now) + self._pause

    def wait(self, due: float, now: float) -> float:
        """Seconds until one more call is allowed; 0.0 when it is allowed now."""
        wait = self.after(due, now) - now - _MINUTE
        return wait if wait > 1e-6 else 0.0


class Allowance:
    """The number of one caller who has an object of its own, a channel for example."""

    __slots__ = ("_due", "_rate")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._due = 0.0

    def take(self, now: float) -> bool:
        """False: too many; such a call is not counted."""
        if self._rate.wait(self._due, now):
            return False
        self._due = self._rate.after(self._due, now)
        return True
