"""How many messages a channel may send: a token bucket."""

from __future__ import annotations


class Allowance:
    """`per_minute` messages may come at once, and then one for each `60 / per_minute` seconds that pass."""

    def __init__(self, per_minute: int, now: float) -> None:
        self._most = float(per_minute)
        self._left = float(per_minute)
        self._per_second = per_minute / 60
        self._at = now

    def take(self, now: float) -> bool:
        """`now` in seconds of a monotonic clock. False: too many."""
        self._left = min(self._most, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
