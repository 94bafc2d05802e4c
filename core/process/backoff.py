"""How long to wait before something is tried again: one rule for all of the product. Rules only."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses in seconds: `first`, then doubled for each further failure up to `longest`.

    `jitter` is the share by which a pause may be longer or shorter, so that many do not come back in step.
    """

    first: float
    longest: float
    jitter: float = 0.0

    def seconds(self, failures: int) -> float:
        """The pause after the `failures`-th failure in a row, counted from 1."""
        pause = min(self.longest, self.first * 2.0 ** min(max(failures, 1) - 1, 30))
        return pause * random.uniform(1 - self.jitter, 1 + self.jitter) if self.jitter else pause
