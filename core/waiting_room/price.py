"""What a place costs: nothing for the first of a network, then work that doubles with each further step of places (F4).

The rule is applied by the join scripts (`lua/queue.lua: charge`), which alone know how many places a network has; this
module names its figures and what was paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Paid in full, whatever the step: a captcha was solved.
FULL: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """`free` live places of a network cost nothing, those up to `step_places` one portion of work, each further
    `step_places` twice as much, `doublings` times at most. All in places.
    """

    free: int
    step_places: int
    doublings: int

    def step(self, places: int) -> int:
        """Of the next place of a network that has so many: -1 is free, 0 the first portion. Grows without end."""
        return -1 if places < self.free else places // self.step_places

    def portions(self, step: int) -> int:
        """Work at this step, in portions of the first one."""
        return int(2 ** min(max(step, 0), self.doublings))


@dataclass(frozen=True, slots=True)
class Paid:
    """What a caller has paid: the `step` that the proof was made for (`FULL` for a captcha), the proof's `id`, and for
    how many ms more it could be shown again.
    """

    step: int
    id: str
    keep_ms: int


NOTHING_PAID: Final = Paid(-1, "-", 1)


@dataclass(frozen=True, slots=True)
class Bidder:
    """Who asks for a place: `network` such as `203.0.113.0/24`, empty where the caller is not known (tools); `proof` is
    what the caller hands in, a solved challenge or a captcha's token; `address` the caller's own, for a captcha's
    service. `fresh`: the caller's identity was signed lately enough for a new place.
    """

    network: str = ""
    proof: str | None = None
    address: str = ""
    fresh: bool = True


NOBODY: Final = Bidder()
