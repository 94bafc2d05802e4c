"""How often, and after which pauses, a message is tried before it is a dead letter. Rules only."""

from __future__ import annotations

from dataclasses import dataclass

from core.process.backoff import Backoff


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """`tries` in all; pauses in seconds, doubling from `first_pause` up to `longest_pause`.

    `away_seconds` is the pause when something that all messages need is away; such tries are not counted.
    """

    tries: int
    first_pause: float = 1.0
    longest_pause: float = 30.0
    away_seconds: float = 10.0

    def exhausted(self, tried: int) -> bool:
        return tried >= self.tries

    def pause(self, tried: int) -> float:
        """Seconds to wait after the `tried`-th try (counted from 1)."""
        return Backoff(self.first_pause, self.longest_pause).seconds(tried)
