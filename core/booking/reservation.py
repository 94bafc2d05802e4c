"""A reservation: seats being paid for, or paid. Its states, its transitions, and what each does to its seats.

    PAYING --confirm--> CONFIRMED --cancel--> CANCELLED
       |----fail------> FAILED
       `----give_up---> CANCELLED      (the buyer gives the seats back before the provider was asked for the money)

PostgreSQL carries out a transition in one statement (`sql/transition.sql`) whose guard and effect are the row of
`TRANSITIONS`; nothing else changes a reservation's status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from core.booking.attempt import Attempt


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
    RETURNED = "RETURNED"
    """Given back, and kept for the waiting list or until a random moment (F5, F10): on no screen free."""


class Reason(StrEnum):
    """Why a reservation is as it is: stable codes, which pages and e-mails put into the buyer's language.

    Those of `WAITING_REASONS` explain a reservation that is still PAYING (no reason: the window is open); the others,
    and some of them, an end.
    """

    CHECKING = "payment_checking"
    """The provider has not answered: it is being asked, the seats stay reserved."""
    PARKED = "payment_parked"
    """Payment is interrupted: it goes on by itself later; the buyer may cancel."""
    CLOSED = "closed"
    """The provider's window was closed: nothing was charged, another attempt is possible."""

    DECLINED = "declined"
    """The provider said no; nothing was charged. While PAYING: another attempt is possible."""
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    """No provider could be reached; nothing was charged. While PAYING: another attempt is possible."""
    SHOPS_FAULT = "shop_payment_fault"
    """Payment failed for a reason that is the shop's to mend (P9); nothing was charged. While PAYING: as above."""
    WINDOW_ENDED = "payment_window_ended"
    """The time to pay was over; nothing was charged."""
    NOT_CHARGED = "not_charged"
    """The call was interrupted, and the provider says that nothing was charged."""
    UNKNOWN_CANCELLED = "payment_unknown_cancelled"
    """The outcome could not be learnt in time: whatever was charged is given back."""
    SHARE_REACHED = "share_reached"
    """While this was being paid for, other purchases took all seats that one buyer may have; nothing was charged."""
    CANCELLED_AT_PROVIDER = "payment_cancelled"
    """The charge was cancelled at the provider."""
    CANCELLED_BY_BUYER = "cancelled_by_buyer"
    CANCELLED_BY_OPERATOR = "cancelled_by_operator"
    EVENT_CANCELLED = "event_cancelled"
    """The event does not take place."""

    NOT_STARTED = "payment_not_started"
    """Of reservations from before the order was made first: the payment could not be begun in time."""


#: Reasons of a reservation that is still being paid for, and that never explain an end.
WAITING_REASONS = frozenset({Reason.CHECKING, Reason.PARKED, Reason.CLOSED})

#: Reasons of a failed reservation whose money was, or may have been, charged, and goes back.
MONEY_MAY_COME = frozenset({Reason.UNKNOWN_CANCELLED, Reason.CANCELLED_AT_PROVIDER})


class Change(StrEnum):
    """What can happen to a reservation."""

    CONFIRM = "confirm"
    FAIL = "fail"
    CANCEL = "cancel"
    GIVE_UP = "give_up"


@dataclass(frozen=True, slots=True)
class Transition:
    """`whole`: every seat must still be the reservation's own, or nothing happens."""

    before: ReservationStatus
    after: ReservationStatus
    seats_before: SeatStatus
    seats_after: SeatStatus
    whole: bool


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


@dataclass(frozen=True, slots=True)
class Reservation:
    """`seats` are ordinals, ascending; `amount` is in the currency's minor unit; `reason` is a `Reason`'s value.

    `fence` is that of the hold the seats came from: freeing them moves the seats' fence on, past this one.
    `ticket_code` is there from the confirmation on; nobody can guess it. `until` is the end of the time to pay; it
    moves only by the time of an outage. `payment` is the current attempt (None where nothing is to be paid),
    `attempts_left` how many may still follow it. `refunded` is what was, or is being, given back, in minor units.
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
    until: datetime | None = None
    payment: Attempt | None = None
    attempts_left: int = 0
    refunded: int = 0
    phase: str | None = None
    code: bytes | None = None

    @property
    def over(self) -> bool:
        """FAILED or CANCELLED: it has no seats any more, and nothing may stay charged for it."""
        return self.status in (ReservationStatus.FAILED, ReservationStatus.CANCELLED)


def check_arguments(change: Change, reason: Reason | None, ticket_code: str | None) -> None:
    """A confirmation needs a ticket code and has no reason; every other change needs a reason that explains an end.

    Raises ValueError: these are mistakes of the caller, not of a buyer.
    """
    if (change is Change.CONFIRM) != (ticket_code is not None):
        raise ValueError("a ticket code belongs to a confirmation, and to nothing else")
    if change is Change.CONFIRM:
        if reason is not None:
            raise ValueError("a confirmation has no reason")
    elif reason is None or reason in WAITING_REASONS:
        raise ValueError(f"{change} needs a reason that explains an end")
