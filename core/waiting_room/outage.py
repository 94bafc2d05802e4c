"""What the sweep is told of stores and payment that are away: the sale's clock stands by it (R4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.clock import from_millis


@dataclass(frozen=True, slots=True)
class Outage:
    """`seconds`: for how long PostgreSQL or payment has been away; None: neither is.

    That Redis was away, the scripts see by the sweeps that are missing.
    """

    seconds: float | None = None


NO_OUTAGE: Final = Outage()


@dataclass(frozen=True, slots=True)
class Stop:
    """The sale's clock stood until `ended` (Redis' clock), and everybody was given `seconds` for it."""

    ended: datetime
    seconds: float


def stops_of(told: str) -> list[Stop]:
    """What a sweep tells, oldest first: `ended:given,` each, in milliseconds."""
    pairs = (one.split(":") for one in told.split(",") if one)
    return [Stop(from_millis(int(ended)), int(given) / 1000) for ended, given in pairs]
