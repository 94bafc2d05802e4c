"""What giving tickets back costs a buyer: the event's fee table (P7), pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from core.errors import InvalidRequest

#: Lines of one table, at most.
MOST_LINES: Final = 20


@dataclass(frozen=True, slots=True)
class FeeLine:
    """Until so many hours before the start, giving back costs so many per cent of the price."""

    hours: float
    percent: int


#: Of an event that names none: free until a day before the start, then not possible.
DEFAULT_FEES: Final = (FeeLine(24, 0),)


@dataclass(frozen=True, slots=True)
class Fee:
    """What giving back costs, in per cent of the price, and until when it costs that."""

    percent: int
    until: datetime

    def of(self, price: int) -> int:
        """In minor units, rounded down: what `core/booking/sql/refund.sql` keeps."""
        return price * self.percent // 100


def fee_at(table: Sequence[FeeLine], starts_at: datetime | None, now: datetime) -> Fee | None:
    """What it costs now; None: buyers cannot give back any more (or at all: the start is not known)."""
    if starts_at is None:
        return None
    for line in sorted(table, key=lambda one: -one.hours):
        until = starts_at - timedelta(hours=line.hours)
        if now <= until:
            return Fee(line.percent, until)
    return None


def fee_percent(table: Sequence[FeeLine], starts_at: datetime | None, now: datetime) -> int | None:
    """`fee_at`, without its end."""
    fee = fee_at(table, starts_at, now)
    return None if fee is None else fee.percent


def stored_fees(table: Sequence[FeeLine]) -> list[dict[str, float | int]]:
    """What `fee_table` reads."""
    return [{"hours": line.hours, "percent": line.percent} for line in table]


def fee_table(value: Any) -> tuple[FeeLine, ...]:
    """From what is stored, or asked for; None is `DEFAULT_FEES`. Raises InvalidRequest with what is wrong with it."""
    if value is None:
        return DEFAULT_FEES
    if not isinstance(value, list) or len(value) > MOST_LINES:
        raise InvalidRequest(f"fees: a list of {MOST_LINES} lines at most, each with hours and percent")
    lines = []
    for line in value:
        hours, percent = (line.get("hours"), line.get("percent")) if isinstance(line, dict) else (None, None)
        if not isinstance(hours, int | float) or isinstance(hours, bool) or not 0 <= hours <= 24 * 366:
            raise InvalidRequest("fees: hours is a number of hours before the start, 0 to 8784")
        if not isinstance(percent, int) or isinstance(percent, bool) or not 0 <= percent <= 100:
            raise InvalidRequest("fees: percent is a whole number from 0 to 100")
        lines.append(FeeLine(hours, percent))
    if len({line.hours for line in lines}) != len(lines):
        raise InvalidRequest("fees: the same hours are named twice")
    return tuple(sorted(lines, key=lambda one: -one.hours))
