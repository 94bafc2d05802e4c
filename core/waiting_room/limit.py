"""How many visitors may be active: fixed, computed from the machine, or following its load (S8, S10). Pure.

The limit only ever bounds who is let in next: nobody who is in is put out because it fell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

#: Admissions stop below this share of the full limit only when payment is away altogether.
_LEAST_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Capacity:
    """S10's arithmetic: cores x visitors a core bears / safety, divided among instances, capped by the database pool.

    `per_core` in active visitors; `pool` connections each bear `per_connection` active visitors.
    """

    cores: int
    per_core: float = 20.0
    safety: float = 2.0
    pool: int = 10
    per_connection: float = 10.0
    instances: int = 1

    def limit(self) -> int:
        """Of all instances together, at least 1. The source's example: 8 x 20 / 2 = 80."""
        whole = self.cores * self.per_core / self.safety
        of_one = min(whole / self.instances, self.pool * self.per_connection)
        return max(1, math.floor(of_one * self.instances))


@dataclass(frozen=True, slots=True)
class CapacityRates:
    """What an installation says of its machines: `per_core`, `safety` and `per_connection` of `Capacity`."""

    per_core: float
    safety: float
    per_connection: float


@dataclass(frozen=True, slots=True)
class Load:
    """One look at the machine and the stores. Shares are 0..1, latency in seconds; None: not known."""

    cpu: float | None = None
    memory: float | None = None
    pool: float | None = None
    payment_seconds: float | None = None
    payment_away: bool = False


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`high`: the limit falls above it; it rises again only below `calm` of that (hysteresis)."""

    cpu: float = 0.70
    memory: float = 0.80
    pool: float = 0.90
    payment_seconds: float = 5.0
    calm: float = 0.85


@dataclass(frozen=True, slots=True)
class Decision:
    """The share of the full limit that holds now, and why it changed: empty when it did not."""

    share: float
    reason: str = ""


@dataclass(slots=True)
class LoadFollower:
    """Multiplicative decrease, additive increase, with hysteresis and a pause between two changes.

    Down by a fifth at once for each reading above a threshold, up by a tenth only after everything has been well below
    its threshold for `patience` seconds: a limit that rises as fast as it falls swings.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    down: float = 0.8
    up: float = 0.1
    pause: float = 5.0
    patience: float = 30.0
    share: float = 1.0
    _changed: float = -math.inf
    _calm_since: float | None = None
    _away: bool = False

    def begin_at(self, share: float) -> None:
        """Goes on from what another follower had decided."""
        self.share = min(1.0, max(_LEAST_SHARE, share))

    def decide(self, load: Load, now: float) -> Decision:
        """`now` in seconds, only growing. With payment away the share is 0: who came in could not buy."""
        if load.payment_away:
            self._calm_since = None
            changed, self._away = not self._away, True
            return Decision(0.0, "payment is away" if changed else "")
        if self._away:
            # Back carefully: what was away has a backlog.
            self._away, self._calm_since, self._changed = False, None, now
            self.share = max(_LEAST_SHARE, self.share / 2)
            return Decision(self.share, "payment is back")
        too_high = self._above(load, 1.0)
        if too_high:
            self._calm_since = None
            if now - self._changed < self.pause or self.share <= _LEAST_SHARE:
                return Decision(self.share)
            return self._move(max(_LEAST_SHARE, self.share * self.down), now, too_high)
        if self._above(load, self.thresholds.calm):
            self._calm_since = None
            return Decision(self.share)
        if self._calm_since is None:
            self._calm_since = now
        if self.share < 1.0 and now - max(self._calm_since, self._changed) >= self.patience:
            return self._move(min(1.0, self.share + self.up), now, "load is calm")
        return Decision(self.share)

    def _move(self, share: float, now: float, reason: str) -> Decision:
        self.share, self._changed = share, now
        return Decision(share, reason)

    def _above(self, load: Load, factor: float) -> str:
        """Which reading is above its threshold times `factor`, in words; empty when none is."""
        limits = self.thresholds
        for name, value, limit in (
            ("CPU", load.cpu, limits.cpu),
            ("memory", load.memory, limits.memory),
            ("database pool use", load.pool, limits.pool),
        ):
            if value is not None and value >= limit * factor:
                return f"{name} {value:.0%} (threshold {limit:.0%})"
        if load.payment_seconds is not None and load.payment_seconds >= limits.payment_seconds * factor:
            return f"payment takes {load.payment_seconds:.1f} s (threshold {limits.payment_seconds:.1f} s)"
        return ""
