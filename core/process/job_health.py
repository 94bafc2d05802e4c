"""Which periodic jobs are late, judged by their last success. Rules only; times in seconds, monotonic.

A job is late when it has not succeeded for `late_after` seconds although all that time the stores that it needs have
answered, and this process, which judges, was there. A store that was away makes no job late before the job had its
time again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


def late_after(every: float, limit: float) -> float:
    """A round or two may be missed, and one run may take as long as it is allowed to."""
    return max(3 * every, limit + 5.0)


@dataclass(frozen=True, slots=True)
class LateJob:
    """`seconds` since its last success, or since this process has been watching. `vital`: without it nobody can buy."""

    name: str
    seconds: float
    vital: bool


class Answering:
    """Since when which store has answered, as this process sees it."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._since: dict[str, float] = {}

    def answered(self, store: str, now: float) -> None:
        self._since.setdefault(store, now)

    def silent(self, store: str) -> None:
        self._since.pop(store, None)

    def waited(self, success: float | None, needs: Iterable[str], now: float) -> float:
        """Seconds since the last success (None: there was none) for which no store is to blame.

        0 while a store that the job needs is silent.
        """
        since = self._began if success is None else max(self._began, success)
        for store in needs:
            if store not in self._since:
                return 0.0
            since = max(since, self._since[store])
        return now - since
