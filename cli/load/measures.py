"""What a load run measures: how long calls took, what was refused, what went wrong. Pure."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """Of `count` durations, in seconds; all zero when there are none. `p95` is the nearest rank."""

    count: int
    mean: float
    p95: float
    max: float


def summary(seconds: Sequence[float]) -> Summary:
    if not seconds:
        return Summary(0, 0.0, 0.0, 0.0)
    ordered = sorted(seconds)
    rank = math.ceil(0.95 * len(ordered)) - 1
    return Summary(len(ordered), sum(ordered) / len(ordered), ordered[rank], ordered[-1])


class Durations:
    """Durations by name, in seconds, in the order in which the names came."""

    def __init__(self) -> None:
        self._seconds: dict[str, array[float]] = {}

    def note(self, name: str, seconds: float) -> None:
        self._seconds.setdefault(name, array("d")).append(seconds)

    def summaries(self) -> dict[str, Summary]:
        return {name: summary(seconds) for name, seconds in self._seconds.items()}


class Calls:
    """The calls of a run. A refusal is an answer with a `code` (4xx): the server works. An error is anything else."""

    def __init__(self) -> None:
        self._durations = Durations()
        self.refusals: Counter[tuple[str, str]] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()

    def answered(self, call: str, seconds: float) -> None:
        """`call` is the method and the path's pattern."""
        self._durations.note(call, seconds)

    def refused(self, call: str, code: str) -> None:
        self.refusals[call, code] += 1

    def failed(self, call: str, kind: str) -> None:
        """An answer of 500 or more, no answer, or one that is not of the API."""
        self.errors[call, kind] += 1

    @property
    def count(self) -> int:
        """Calls that were answered."""
        return sum(one.count for one in self._durations.summaries().values())

    def summaries(self) -> dict[str, Summary]:
        return self._durations.summaries()

    def refusals_of(self, call: str) -> int:
        return sum(count for (name, _), count in self.refusals.items() if name == call)

    def errors_of(self, call: str) -> int:
        return sum(count for (name, _), count in self.errors.items() if name == call)

    def errors_by_kind(self) -> dict[str, int]:
        kinds: Counter[str] = Counter()
        for (_, kind), count in self.errors.items():
            kinds[kind] += count
        return dict(kinds.most_common())
