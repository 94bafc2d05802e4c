"""Time, passed in: rules take a `Clock`, so that tests decide what time it is.

Redis decides the expiry of everything it keeps and PostgreSQL of everything it keeps; this clock is for what
lives in a process only (deadlines of tasks, breaker windows, caches).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """`now` is wall time (aware, UTC); `monotonic` is seconds that only grow."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and a `Z`: the one form in which times leave the system."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def from_millis(milliseconds: int | float) -> datetime:
    """A Redis time (milliseconds since 1970) as an aware datetime."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def to_millis(moment: datetime) -> int:
    """An aware datetime as a Redis time: milliseconds since 1970."""
    return round(moment.timestamp() * 1000)
