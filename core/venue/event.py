"""An event: one performance whose seats are sold, and the rules of its sale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from core.clock import iso
from core.errors import ReopenTooLate, SaleClosed, SaleNotOpen
from core.venue.fees import DEFAULT_FEES, FeeLine
from core.venue.phase import GENERAL, Phase, gathers_at
from core.venue.picture import Picture


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


class DrawState(StrEnum):
    """Where a draw is; `drawn` is shown only when every entry has its number."""

    ANNOUNCED = "announced"
    FROZEN = "frozen"
    DRAWN = "drawn"


@dataclass(frozen=True, slots=True)
class Opening:
    """An opening whose draw is not over: people gather for it, or are being drawn.

    `base` and `reserved`: the queue numbers after `base` that the drawn ones get; 0 until it is frozen.
    """

    #: Seconds after which every process, and Redis, has heard of a new opening.
    KNOWN_AFTER: ClassVar[float] = 5.0
    #: Seconds that those who had entered get to come back before they are drawn, when Redis was lost meanwhile.
    PATIENCE: ClassVar[float] = 10.0

    id: int
    phase: str
    state: DrawState
    draw_at: datetime
    created_at: datetime
    base: int = 0
    reserved: int = 0

    def patience_ms(self, now: datetime) -> int:
        """For a Redis that does not know of this opening: it was lost, unless the opening has just been announced."""
        return round(self.PATIENCE * 1000) if (now - self.created_at).total_seconds() > self.KNOWN_AFTER else 0


@dataclass(frozen=True, slots=True)
class Event:
    """Immutable; a changed sale is a new `Event` from the store.

    `prices` maps a category's name to an amount in the currency's minor unit (KRW has none: 15000 is 15,000 won).
    `hold_seconds` is in seconds, `active_limit` in visitors, `max_seats` in seats of one visitor. `time_zone` is IANA's
    name of the zone that the performance is in. `focus`: what everybody looks at, in plan units; None: what the plan
    says (`core.venue.seat_runs`). `companions`: seats beside each wheelchair place that belong to it. `fees`: what
    giving tickets back costs. `codes_version` grows when its access codes change. `cancelled_at`: it does not take
    place; everybody's money goes back. `description` is Markdown (`core.venue.description`); `pictures`: the event's
    one picture in several widths, the smallest first.
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
    companions: int = 0
    fees: Sequence[FeeLine] = DEFAULT_FEES
    prequeue_seconds: int = 0
    phases: tuple[Phase, ...] = ()
    opening: Opening | None = None
    has_drawn: bool = False
    codes_version: int = 0
    cancelled_at: datetime | None = None
    venue: str = ""
    address: str = ""
    description: str = ""
    pictures: tuple[Picture, ...] = ()

    @property
    def openings(self) -> tuple[Phase, ...]:
        """The phases, in the order of their opening; the one that a sale without named phases is."""
        if self.phases or self.opens_at is None:
            return self.phases
        return (Phase(GENERAL, self.opens_at, None, self.prequeue_seconds),)

    def gathers_at(self, phase: Phase) -> datetime:
        """When the pre-queue of one of the `openings` opens; the opening itself where there is none."""
        return gathers_at(self.openings, phase)

    def gathering(self, now: datetime) -> Phase | None:
        """The phase that people gather for now, one at a time. A sale that was opened by hand is open: nobody needs
        to gather.
        """
        if self.status is not SaleStatus.SCHEDULED or self.sale_state(now) is SaleState.CLOSED:
            return None
        return next((phase for phase in self.openings if self.gathers_at(phase) <= now < phase.opens_at), None)

    def next_opening(self, now: datetime) -> Phase | None:
        """The next phase with a pre-queue that is still to open."""
        if self.status is not SaleStatus.SCHEDULED or self.sale_state(now) is SaleState.CLOSED:
            return None
        to_come = (phase for phase in self.openings if phase.prequeue_seconds > 0 and now < phase.opens_at)
        return min(to_come, key=lambda phase: phase.opens_at, default=None)

    def draws_next(self, opening: Opening, now: datetime) -> bool:
        """Whether an opening has come by an operator's word, though its draw is still set for later: the sale was
        opened by hand, or the opening was moved into the past, and the draw job has not looked since (where a beacon
        does not answer it waits for that). Who comes until then is one of those who are there.
        """
        if opening.state is not DrawState.ANNOUNCED or self.sale_state(now) is not SaleState.OPEN:
            return False
        own = next((phase for phase in self.openings if phase.name == opening.phase), None)
        return self.status is SaleStatus.OPEN or (own is not None and own.prequeue_seconds > 0 and own.is_open(now))

    def next_change(self, now: datetime) -> datetime | None:
        """When the clock next changes something that people are told: a pre-queue or a phase opens, the sale ends."""
        moments = [moment for one in self.openings for moment in (self.gathers_at(one), one.opens_at, one.closes_at)]
        return min((moment for moment in [*moments, self.closes_at] if moment and moment > now), default=None)

    def sale_state(self, now: datetime) -> SaleState:
        """OPEN by hand opens at once; SCHEDULED opens at `opens_at`, when it has one; either ends at `closes_at`."""
        if self.status is SaleStatus.CLOSED or (self.closes_at is not None and now >= self.closes_at):
            return SaleState.CLOSED
        if self.status is SaleStatus.OPEN or any(phase.is_open(now) for phase in self.openings):
            return SaleState.OPEN
        return SaleState.BEFORE

    @property
    def reopen_until(self) -> datetime | None:
        """Until when a sale that was closed by hand can be opened again; None: nothing ends that."""
        return min((moment for moment in (self.closes_at, self.starts_at) if moment is not None), default=None)

    def require_reopenable(self, now: datetime) -> None:
        """A sale can be opened as long as there is something to sell. Raises ReopenTooLate."""
        if self.cancelled_at is not None:
            raise ReopenTooLate("The event does not take place, and its tickets are refunded: make a new sale")
        if self.closes_at is not None and now >= self.closes_at:
            raise ReopenTooLate("The time at which the sale closes is over: set a later one, then open it")
        if self.starts_at is not None and now >= self.starts_at:
            raise ReopenTooLate("The performance has begun: set another start, then open the sale")

    def require_open(self, now: datetime) -> None:
        """Raises SaleNotOpen or SaleClosed."""
        state = self.sale_state(now)
        if state is SaleState.CLOSED:
            raise SaleClosed()
        if state is SaleState.BEFORE:
            to_come = min((phase for phase in self.openings if now < phase.opens_at), key=_opens_at, default=None)
            raise SaleNotOpen(
                opens_at=iso(to_come.opens_at) if to_come else None,
                gathers_at=iso(self.gathers_at(to_come)) if to_come and to_come.prequeue_seconds else None,
            )


def _opens_at(phase: Phase) -> datetime:
    return phase.opens_at
