"""What the sweep is told of stores and payment that are away: the sale's clock stands by it (R4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Outage:
    """`seconds`: for how long PostgreSQL or payment has been away; None: neither is. `redis_was_away`: a moment ago."""

    seconds: float | None = None
    redis_was_away: bool = False


NO_OUTAGE: Final = Outage()
