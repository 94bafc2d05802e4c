"""Where each visitor of a rush was stopped (S35). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """In the order of the way through the sale; every visitor ends with exactly one."""

    QUEUE = "queue"
    TAKEN = "taken"
    GUARD = "guard"
    SESSION = "session"
    CHECKOUT = "checkout"
    UNAVAILABLE = "payment_unavailable"
    DECLINED = "payment_declined"
    UNPAID = "payment_failed"
    UNKNOWN = "payment_unknown"
    ERROR = "error"
    TICKET = "ticket"


LABELS = {
    Outcome.QUEUE: "queue: was not let in",
    Outcome.TAKEN: "taken: saw no free seat",
    Outcome.GUARD: "guard: tried, and another was first",
    Outcome.SESSION: "session: the time ran out",
    Outcome.CHECKOUT: "checkout: lost the held seats",
    Outcome.UNAVAILABLE: "payment not available",
    Outcome.DECLINED: "payment declined",
    Outcome.UNPAID: "payment failed, nothing charged",
    Outcome.UNKNOWN: "payment unknown at the end",
    Outcome.ERROR: "error",
    Outcome.TICKET: "got a ticket",
}


@dataclass(slots=True)
class End:
    """Where one visitor ended, and the last that the API said about the reservation (`status` None: there is none)."""

    outcome: Outcome
    detail: str = ""
    visitor: str = ""
    token: str = field(default="", repr=False)
    reservation: str | None = None
    status: str | None = None
    reason: str | None = None
    seats: tuple[int, ...] = ()
    amount: int = 0


@dataclass(frozen=True, slots=True)
class Funnel:
    """`stopped`: visitors by outcome, all outcomes named; `details`: (outcome, detail) -> visitors."""

    visitors: int
    stopped: dict[Outcome, int]
    details: dict[tuple[Outcome, str], int]

    @property
    def tickets(self) -> int:
        return self.stopped[Outcome.TICKET]

    def reached(self, outcome: Outcome) -> int:
        """Visitors who came as far as this point: stopped here or later. An error counts as stopped at the start."""
        if outcome is Outcome.ERROR:
            return self.visitors
        order = [one for one in Outcome if one is not Outcome.ERROR]
        return sum(self.stopped[one] for one in order[order.index(outcome) :])


def funnel(ends: Iterable[End]) -> Funnel:
    outcomes: Counter[Outcome] = Counter()
    details: Counter[tuple[Outcome, str]] = Counter()
    for end in ends:
        outcomes[end.outcome] += 1
        if end.detail:
            details[end.outcome, end.detail] += 1
    return Funnel(sum(outcomes.values()), {one: outcomes[one] for one in Outcome}, dict(details.most_common()))


def paid_outcome(status: str, reason: str | None) -> Outcome:
    """The outcome that a reservation's last known status means."""
    match status:
        case "CONFIRMED":
            return Outcome.TICKET
        case "PAYING":
            return Outcome.UNKNOWN
        case "FAILED" if reason == "declined":
            return Outcome.DECLINED
    return Outcome.UNPAID
