"""How long to wait for a seat lock, and for how long to lease one: from what was measured (S5), and from how often the
lock could not be had (S6). Pure: times are passed in, in seconds.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

#: The source's figures: never recommend less than this, and lease twice the measured critical section.
LEAST_WAIT_SECONDS = 0.150
LEASE_FACTOR = 2.0
#: Fail fast (S1): a buyer never waits longer than this for a lock.
LONGEST_WAIT_SECONDS = 3.0

#: Round trips to the store while a hold is made under a lock: acquire, check, set, release.
_TRIPS = 4
_MARGIN_SECONDS = 0.050
_SAMPLES = 1_000
_ENOUGH = 20
_QUANTILE = 0.99


@dataclass(frozen=True, slots=True)
class LockAdvice:
    """Recommended times, from 99th percentiles of both measurements; `samples` of the scarcer of them."""

    wait_seconds: float
    lease_seconds: float
    critical_section_seconds: float
    samples: int


def advise(round_trips: Sequence[float], critical_sections: Sequence[float]) -> LockAdvice | None:
    """None before there is enough to judge from.

    The wait covers one whole critical section of somebody else, the store's round trips and a margin, and is at least
    150 ms; the lease is twice the critical section, and never shorter than the wait is allowed to be.
    """
    samples = min(len(round_trips), len(critical_sections))
    if samples < _ENOUGH:
        return None
    trip, critical = _quantile(round_trips), _quantile(critical_sections)
    wait = max(LEAST_WAIT_SECONDS, _TRIPS * trip + critical + _MARGIN_SECONDS)
    return LockAdvice(
        wait_seconds=min(wait, LONGEST_WAIT_SECONDS),
        lease_seconds=max(LEAST_WAIT_SECONDS, LEASE_FACTOR * critical),
        critical_section_seconds=critical,
        samples=samples,
    )


def _quantile(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(_QUANTILE * len(ordered)) - 1)]


class LockMeasurements:
    """The latest round trips and critical sections of this process; bounded."""

    def __init__(self) -> None:
        self._trips: deque[float] = deque(maxlen=_SAMPLES)
        self._sections: deque[float] = deque(maxlen=_SAMPLES)

    def round_trip(self, seconds: float) -> None:
        self._trips.append(seconds)

    def critical_section(self, seconds: float) -> None:
        self._sections.append(seconds)

    def advice(self) -> LockAdvice | None:
        return advise(self._trips, self._sections)


@dataclass(frozen=True, slots=True)
class WaitRules:
    """When the wait steps up or back. Shares are of failed acquisitions among all within the window."""

    steps: tuple[float, ...] = (1.0, 1.5, 2.0)
    window_seconds: float = 30.0
    minimum: int = 20
    raise_at: float = 0.05
    calm_below: float = 0.01


class AdaptiveWait:
    """The wait for a seat lock, in steps.

    One step longer when 5% or more of the acquisitions in a sliding window failed, one step shorter when it has been
    calm for a whole window. After each step the window begins anew, so that what was measured under one wait does not
    judge the next.
    """

    def __init__(self, rules: WaitRules, now: float) -> None:
        if not rules.steps or any(not 0 < step <= LONGEST_WAIT_SECONDS for step in rules.steps):
            raise ValueError(f"waits must be above 0 and at most {LONGEST_WAIT_SECONDS} s")
        self._rules = rules
        self._step = 0
        self._since = now
        self._outcomes: deque[tuple[float, bool]] = deque()
        self._failed = 0

    @property
    def seconds(self) -> float:
        return self._rules.steps[self._step]

    def share(self, now: float) -> float:
        """Of failed acquisitions in the window; 0 when there were none."""
        self._forget(now)
        return self._failed / len(self._outcomes) if self._outcomes else 0.0

    def record(self, acquired: bool, now: float) -> bool:
        """Notes one acquisition; True when the wait changed."""
        self._outcomes.append((now, acquired))
        self._failed += not acquired
        return self.tick(now)

    def tick(self, now: float) -> bool:
        """Judges the window; True when the wait changed. Called with every acquisition, and may be called without."""
        self._forget(now)
        rules = self._rules
        count, share = len(self._outcomes), self.share(now)
        if count >= rules.minimum and share >= rules.raise_at and self._step + 1 < len(rules.steps):
            return self._move(+1, now)
        if self._step > 0 and now - self._since >= rules.window_seconds and share < rules.calm_below:
            return self._move(-1, now)
        return False

    def _move(self, by: int, now: float) -> bool:
        self._step += by
        self._since = now
        self._outcomes.clear()
        self._failed = 0
        return True

    def _forget(self, now: float) -> None:
        oldest = now - self._rules.window_seconds
        while self._outcomes and self._outcomes[0][0] < oldest:
            _, acquired = self._outcomes.popleft()
            self._failed -= not acquired
