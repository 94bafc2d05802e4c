"""A clock that tests move by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass
class ManualClock:
    """`core.clock.Clock`: it stands still until `advance`."""

    seconds: float = 0.0
    epoch: float = 1_700_000_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.epoch + self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
