"""A reservation: seats being paid for, or paid. Its states, its transitions, and what each does to its seats.

    PAYING --confirm--> CONFIRMED --cancel--> CANCELLED
       |----fail------> FAILED
       `----give_up---> CANCELLED      (the buyer takes back a payment that was never sent to a provider)

PostgreSQL carries out a transition in one statement (`sql/transition.sql`) whose guard and effect are the row of
`TRANSITIONS`; nothing else changes a reservation's status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class ReservationStatus(StrEnum):
    PAYING = "PAYING"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class SeatStatus(StrEnum):
    """`seats.status` in PostgreSQL, the truth of which the board is a copy."""

    AVAILABLE = "AVAILABLE"
    PAYING = "PAYING"
    SOLD = "SOLD"
    BLOCKED = "BLOCKED"


class Reason(StrEnum):
    """Why a reservation is as it is: stable codes, which pages and e-mails put into the buyer's language.

    The first two explain a reservation that is still PAYING; the others an end.
    """

    CHECKING = "payment_checking"
    """The provider has not answered: it is being asked, the seats stay reserved."""
    PARKED = "payment_parked"
    """Payment is interrupted: it goes on by itself later; the buyer may cancel."""

    DECLINED = "declined"
    """The provider said no; nothing was charged."""
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    """No provider could be reached; nothing was charged."""
    NOT_CHARGED = "not_charged"
    """The call was interrupted, and the provider says that nothing was charged."""
    NOT_STARTED = "payment_not_started"
    """The payment could not be begun in time; nothing was charged."""
    UNKNOWN_CANCELLED = "payment_unknown_cancelled"
    """The outcome could not be learnt in time: whatever was charged is given back."""
    CANCELLED_AT_PROVIDER = "payment_cancelled"
    """The charge was cancelled at the provider."""
    CANCELLED_BY_BUYER = "cancelled_by_buyer"


#: Reasons of a reservation that is still being paid for.
WAITING_REASONS = frozenset({Reason.CHECKING, Reason.PARKED})


class Change(StrEnum):
    """What can happen to a reservation."""

    CONFIRM = "confirm"
    FAIL = "fail"
    CANCEL = "cancel"
    GIVE_UP = "give_up"


@dataclass(frozen=True, slots=True)
class Transition:
    """`whole`: every seat must still be the reservation's own, or nothing happens. `frees`: the seats are let go."""

    before: ReservationStatus
    after: ReservationStatus
    seats_before: SeatStatus
    seats_after: SeatStatus
    whole: bool

    @property
    def frees(self) -> bool:
        return self.seats_after is SeatStatus.AVAILABLE


TRANSITIONS: Mapping[Change, Transition] = {
    Change.CONFIRM: Transition(
        ReservationStatus.PAYING, ReservationStatus.CONFIRMED, SeatStatus.PAYING, SeatStatus.SOLD, whole=True
    ),
    Change.FAIL: Transition(
        ReservationStatus.PAYING, ReservationStatus.FAILED, SeatStatus.PAYING, SeatStatus.AVAILABLE, whole=False
    ),
    Change.GIVE_UP: Transition(
        ReservationStatus.PAYING, ReservationStatus.CANCELLED, SeatStatus.PAYING, SeatStatus.AVAILABLE, whole=False
    ),
    Change.CANCEL: Transition(
        ReservationStatus.CONFIRMED, ReservationStatus.CANCELLED, SeatStatus.SOLD, SeatStatus.AVAILABLE, whole=False
    ),
}


class TransitionRefused(Exception):
    """The reservation is not in the state that the change starts from."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """`seats` are ordinals, ascending; `amount` is in the currency's minor unit; `reason` is a `Reason`'s value.

    `fence` is that of the hold the seats came from: freeing them moves the seats' fence on, past this one.
    `ticket_code` is there from the confirmation on; nobody can guess it.
    """

    id: UUID
    event_id: int
    slug: str
    visitor: str
    status: ReservationStatus
    reason: str | None
    seats: tuple[int, ...]
    amount: int
    currency: str
    email: str
    language: str
    ticket_code: str | None
    created_at: datetime
    updated_at: datetime
    fence: int

    @property
    def over(self) -> bool:
        """FAILED or CANCELLED: it has no seats any more, and nothing may stay charged for it."""
        return self.status in (ReservationStatus.FAILED, ReservationStatus.CANCELLED)


def transition(
    reservation: Reservation, change: Change, *, reason: Reason | None = None, ticket_code: str | None = None
) -> Reservation:
    """The reservation after `change`; times are the database's and stay. Raises TransitionRefused.

    A confirmation needs a ticket code and has no reason; every other change needs a reason that explains an end.
    """
    rule = TRANSITIONS[change]
    if reservation.status is not rule.before:
        raise TransitionRefused(f"{reservation.status} reservations cannot {change}")
    check_arguments(change, reason, ticket_code)
    return replace(reservation, status=rule.after, reason=reason, ticket_code=ticket_code or reservation.ticket_code)


def check_arguments(change: Change, reason: Reason | None, ticket_code: str | None) -> None:
    """Raises ValueError: these are mistakes of the caller, not of a buyer."""
    if (change is Change.CONFIRM) != (ticket_code is not None):
        raise ValueError("a ticket code belongs to a confirmation, and to nothing else")
    if change is Change.CONFIRM:
        if reason is not None:
            raise ValueError("a confirmation has no reason")
    elif reason is None or reason in WAITING_REASONS:
        raise ValueError(f"{change} needs a reason that explains an end")
