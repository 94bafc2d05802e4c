"""An event: one performance whose seats are sold, and the rules of its sale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.clock import iso
from core.errors import SaleClosed, SaleNotOpen
from core.venue.fees import DEFAULT_FEES, FeeLine


class SaleStatus(StrEnum):
    """What the organiser said; times may open or close the sale by themselves (`Event.sale_state`)."""

    SCHEDULED = "SCHEDULED"
    OPEN = "OPEN"
    CLOSED = "CLOSED"


class Orphans(StrEnum):
    """Whether seats that a buyer picks by hand may leave a single seat over."""

    ALLOW = "allow"
    FORBID = "forbid"


class SaleState(StrEnum):
    """What a buyer meets at a given moment."""

    BEFORE = "before"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Event:
    """Immutable; a changed sale is a new `Event` from the store.

    `prices` maps a category's name to an amount in the currency's minor unit (KRW has none: 15000 is 15,000 won).
    `hold_seconds` is in seconds, `active_limit` in visitors, `max_seats` in seats of one visitor. `time_zone` is IANA's
    name of the zone that the performance is in. `focus`: what everybody looks at, in plan units; None: what the plan
    says (`core.venue.seat_runs`). `fees`: what giving tickets back costs.
    """

    id: int
    slug: str
    name: str
    status: SaleStatus
    paused: bool
    opens_at: datetime | None
    closes_at: datetime | None
    starts_at: datetime | None
    currency: str
    prices: Mapping[str, int]
    active_limit: int
    hold_seconds: int
    max_seats: int
    seat_count: int
    plan_digest: str
    time_zone: str = "UTC"
    orphans: Orphans = Orphans.ALLOW
    focus: tuple[float, float] | None = None
    fees: Sequence[FeeLine] = DEFAULT_FEES

    def sale_state(self, now: datetime) -> SaleState:
        """OPEN by hand opens at once; SCHEDULED opens at `opens_at`, when it has one; either ends at `closes_at`."""
        if self.status is SaleStatus.CLOSED or (self.closes_at is not None and now >= self.closes_at):
            return SaleState.CLOSED
        if self.status is SaleStatus.OPEN or (self.opens_at is not None and now >= self.opens_at):
            return SaleState.OPEN
        return SaleState.BEFORE

    def require_open(self, now: datetime) -> None:
        """Raises SaleNotOpen or SaleClosed."""
        state = self.sale_state(now)
        if state is SaleState.CLOSED:
            raise SaleClosed()
        if state is SaleState.BEFORE:
            raise SaleNotOpen(opens_at=iso(self.opens_at) if self.opens_at else None)
