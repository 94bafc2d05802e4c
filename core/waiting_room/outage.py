"""What the sweep is told of stores and payment that are away: the sale's clock stands by it (R4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Outage:
    """`seconds`: for how long PostgreSQL or payment has been away; None: neither is.

    That Redis was away, the scripts see by the sweeps that are missing.
    """

    seconds: float | None = None


NO_OUTAGE: Final = Outage()
