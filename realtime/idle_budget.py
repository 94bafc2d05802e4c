"""How much work that can wait a process may do now: a share of the time that it has to spare.

What the work costs is learnt from doing it; the time to spare is what the process did not compute for anything else. A
process that comes late to its own ticks has none, whatever it computes itself: the machine has no time for it.

Rules only, no I/O: the caller says what the times are.
"""

from __future__ import annotations

from typing import Final

#: Of the time to spare, so much at most, which leaves the rest of the process quick.
_SHARE: Final = 0.4
#: A tick that comes so many seconds late comes to a busy machine.
_LATE: Final = 0.05
#: How much the last price of one piece counts against those before.
_WEIGHT: Final = 0.3
#: In seconds: what a clock cannot tell from nothing costs this.
_CHEAPEST: Final = 1e-6
#: A tick that stayed away for longer, in seconds, is not made up for at once.
_LONGEST: Final = 1.0


class IdleBudget:
    """`pieces` at each tick, then `spent` with what they took."""

    def __init__(self, least_a_second: float, seconds_each: float) -> None:
        """`least_a_second`: also in a process without time. `seconds_each`: what a piece costs, as a first guess."""
        self._least = least_a_second
        self._each = seconds_each
        self._at: float | None = None
        self._computed = 0.0
        self._own = 0.0

    def pieces(self, now: float, computed: float, late: float, most_a_second: float) -> int:
        """For this tick. `now` is a monotonic clock's seconds, `computed` the process's processor time in seconds;
        `late`: so many seconds after its time the tick came; `most_a_second`: no more are worth having.
        """
        passed = 0.0 if self._at is None else min(now - self._at, _LONGEST)
        others = computed - self._computed - self._own
        self._at, self._computed, self._own = now, computed, 0.0
        a_second = self._least
        if passed and late <= _LATE:
            spare = max(0.0, 1 - others / passed)
            a_second = max(a_second, min(most_a_second, spare * _SHARE / self._each))
        return int(a_second * passed)

    def spent(self, seconds: float, pieces: int) -> None:
        """So many were done, in `seconds` of processor time."""
        self._own += seconds
        if pieces:
            self._each += _WEIGHT * (max(seconds / pieces, _CHEAPEST) - self._each)
