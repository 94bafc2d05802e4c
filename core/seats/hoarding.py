"""What may be held without being bought (F5): the budget's figures. Pure; the accounts are kept by `lua/share.lua`."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HoardingBudget:
    """`baskets`: full baskets of a visitor that end unpaid before a pause of `pause_seconds`; `visitors`: as many
    visitors' worth for a network; 0 of either: no limit. `window_seconds`: the time to pay.
    """

    window_seconds: float
    baskets: float = 2
    visitors: float = 32
    pause_seconds: float = 600

    def longest(self, hold_seconds: float, extensions: int) -> float:
        """The longest that an honest basket takes: a whole hold, its extensions, the whole time to pay; seconds."""
        return hold_seconds * (1 + extensions) + self.window_seconds

    def pauses(self, hold_seconds: float, extensions: int, max_seats: int) -> tuple[float, float]:
        """Seat-seconds that are too many, of a visitor and of a network; infinite where nothing is."""
        own = self.baskets * self.longest(hold_seconds, extensions) * max_seats
        return own or math.inf, own * self.visitors or math.inf

    def figures(self, hold_seconds: float, extensions: int, max_seats: int) -> str:
        """`longest|own|network|pause` as `lua/holding.lua` takes them: milliseconds, and seat-milliseconds that are too
        many (`inf` where nothing is).
        """
        return _figures(self, hold_seconds, extensions, max_seats)


@functools.lru_cache(256)
def _figures(budget: HoardingBudget, hold_seconds: float, extensions: int, max_seats: int) -> str:
    longest = budget.longest(hold_seconds, extensions)
    own, network = budget.pauses(hold_seconds, extensions, max_seats)
    return f"{int(longest * 1000)}|{_limit(own)}|{_limit(network)}|{int(budget.pause_seconds * 1000)}"


def _limit(seat_seconds: float) -> int | str:
    return "inf" if math.isinf(seat_seconds) else int(seat_seconds * 1000)
