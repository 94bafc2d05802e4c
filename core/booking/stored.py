"""What checkout writes and reads of a reservation and its attempts, and how a row of the statements is read (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from core.booking.attempt import MOST_ATTEMPTS, MOST_ATTEMPTS_IN_ALL, Attempt, AttemptState, Owed
from core.booking.reservation import Reservation, ReservationStatus
from core.payments.account import NO_PROVIDER, Account
from core.payments.gateway import Authorisation, Receipt


class ClaimLost(Exception):
    """Another process works on this attempt, or it has ended: stop, and write nothing."""


@dataclass(frozen=True, slots=True)
class NewReservation:
    """What `begin` writes. `seats`: ordinals without duplicates; `request_digest` tells a repeat from another request;
    `account`: where its first attempt is made; `offer`: of the waiting list, whose seats these are.
    """

    id: UUID
    event_id: int
    visitor: str
    idempotency_key: str
    request_digest: str
    email: str
    language: str
    seats: Sequence[int]
    fence: int
    account: Account
    phase: str | None = None
    code: bytes | None = None
    offer: UUID | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A reservation with what only checkout needs to know of it. `counted`, `made`: its attempts, see `retry_end`."""

    reservation: Reservation
    request_digest: str
    starts_at: datetime | None
    counted: int
    made: int
    order: str


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt that this process may work on until its lease ends, with the reservation whose current one it is.

    `token` is written in the row: every write is filtered by it, so a process whose lease was taken over writes
    nothing. `sold`, `freed`, `returned`: the ordinals whose seat still is as this reservation left it: only those are
    told.
    `untold`: Redis and the browser have not been told of the reservation's end yet. `key_age`: seconds since the buyer
    authorised. `sent_key`: the idempotency key of the latest call that may move money; None before the first.
    """

    token: str
    reservation: Reservation
    attempt: Attempt
    event_name: str
    authorisation: Authorisation | None
    sent_key: str | None
    tries: int
    past_deadline: bool
    key_age: float
    time_left: timedelta
    counted: int
    made: int
    untold: bool
    sold: tuple[int, ...]
    freed: tuple[int, ...]
    returned: tuple[int, ...] = ()

    @property
    def account(self) -> Account:
        return self.attempt.account


@dataclass(frozen=True, slots=True)
class AttemptChange:
    """What a transition does to the attempt: its states before, the state after, and what is known of it.

    `owed`: what is written to be given back, tried after `pause` seconds; `asked_by`: for the books.
    """

    before: Sequence[AttemptState]
    after: AttemptState
    provider_key: str | None = None
    code: str | None = None
    owed: Owed | None = None
    pause: float = 0.0
    receipt: Receipt | None = None
    shops_fault: bool = False
    asked_by: str = "system"


def reservation_of(row: Any) -> Reservation:
    return _reservation_of(row, attempt_of(row))


def _reservation_of(row: Any, attempt: Attempt | None) -> Reservation:
    left = min(MOST_ATTEMPTS - row["counted"], MOST_ATTEMPTS_IN_ALL - row["made"])
    return Reservation(
        id=row["id"],
        event_id=row["event_id"],
        slug=row["slug"],
        visitor=row["visitor"],
        status=ReservationStatus(row["status"]),
        reason=row["reason"],
        seats=tuple(row["seats"]),
        amount=row["amount"],
        currency=row["currency"],
        email=row["email"],
        language=row["language"],
        ticket_code=row["ticket_code"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        fence=row["fence"],
        until=row["until"],
        payment=None if attempt is None or attempt.provider == NO_PROVIDER else attempt,
        attempts_left=max(0, left),
        refunded=row["refunded"] or 0,
        phase=row["phase"],
        code=row["code"],
    )


def attempt_of(row: Any) -> Attempt | None:
    """The current attempt, from the columns of `sql/attempt_columns.sql`."""
    if row["order_no"] is None:
        return None
    return Attempt(
        order=row["order_no"],
        number=row["attempt_number"],
        reservation_id=row["id"],
        provider=row["provider"],
        environment=row["environment"],
        state=AttemptState(row["attempt_state"]),
        amount=row["attempt_amount"],
        currency=row["currency"],
        until=row["until"],
        retry_until=row["retry_until"],
        code=row["attempt_code"],
        shops_fault=row["shops_fault"],
        provider_key=row["provider_key"],
        method=row["method"],
        approval_number=row["approval_number"],
        receipt_url=row["receipt_url"],
        approved_at=row["approved_at"],
    )


def stored_of(row: Any) -> Stored | None:
    if row is None:
        return None
    return Stored(
        reservation_of(row), row["request_digest"], row["starts_at"], row["counted"], row["made"], row["order_no"]
    )


def claim_of(row: Any) -> Claim:
    attempt = attempt_of(row)
    if attempt is None:
        raise AssertionError("a claim is of an attempt")
    key = attempt.provider_key
    return Claim(
        token=row["claimed_by"] or "",
        reservation=_reservation_of(row, attempt),
        attempt=attempt,
        event_name=row["event_name"],
        authorisation=Authorisation(key, row["authorisation"] or {}) if key is not None else None,
        sent_key=row["sent_key"],
        tries=row["tries"],
        past_deadline=row["past_deadline"],
        key_age=row["key_age"],
        time_left=row["time_left"],
        counted=row["counted"],
        made=row["made"],
        untold=row["untold"],
        sold=tuple(row["sold"] or ()),
        freed=tuple(row["freed"] or ()),
        returned=tuple(row["returned"] or ()),
    )
