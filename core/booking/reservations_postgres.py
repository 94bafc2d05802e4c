"""Reservations in PostgreSQL: each step of checkout is one status-guarded statement of `sql/` (rules 1 and 2).

A statement either does all that belongs to its step or nothing, whatever runs beside it and wherever the process
dies: there is no transaction to leave open. The statements say in their headers what they lock and in which order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import databases

from core.booking.payment import Claim, PaymentStatus
from core.booking.reservation import (
    TRANSITIONS,
    Change,
    Reason,
    Reservation,
    ReservationStatus,
    SeatStatus,
    check_arguments,
)
from core.database import raw

_SQL = Path(__file__).parent / "sql"
_INCLUDE = re.compile(r"^ *--#include (\S+)$", re.MULTILINE)


def _statement(name: str) -> str:
    return _INCLUDE.sub(lambda match: (_SQL / match[1]).read_text(), (_SQL / f"{name}.sql").read_text())


_BEGIN = _statement("begin")
_TRANSITION = _statement("transition")
_CLAIM_DUE = _statement("claim_due")
_CLAIMED = _statement("claimed")
_CALLED = _statement("called")
_RENEW = _statement("renew")
_WAIT = _statement("wait")
_LEAVE = _statement("leave")
_REFUNDED = _statement("refunded")
_OWE = _statement("owe")
_REFUND_LATER = _statement("refund_later")
_REFUND_NOW = _statement("refund_now")
_REFUND_STATE = _statement("refund_state")
_SEAT_TRUTH = _statement("seat_truth")
_OF_KEY = _statement("reservation") + "WHERE r.visitor = $1 AND r.event_id = $2 AND r.idempotency_key = $3"
_OF_ID = _statement("reservation") + "WHERE r.id = $1"
_OF_FENCE = _statement("reservation") + "WHERE r.visitor = $1 AND r.event_id = $2 AND r.fence = $3"


class ClaimLost(Exception):
    """Another process works on this payment, or it has ended: stop, and write nothing."""


@dataclass(frozen=True, slots=True)
class NewReservation:
    """What `begin` writes.

    `seats`: ordinals without duplicates; `request_digest` tells a repeat from another request.
    """

    id: UUID
    event_id: int
    visitor: str
    idempotency_key: str
    request_digest: str
    email: str
    language: str
    payment_key: str
    seats: Sequence[int]
    fence: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A reservation with what only checkout needs to know of it."""

    reservation: Reservation
    request_digest: str
    starts_at: Any


@dataclass(frozen=True, slots=True)
class PaymentChange:
    """What a transition does to the payment: allowed statuses before, the status after, and what is known of it.

    `pause` is in seconds: until the next attempt, when the payment is not at its end.
    """

    before: Sequence[PaymentStatus]
    after: PaymentStatus
    provider: str | None = None
    provider_key: str | None = None
    error_code: str | None = None
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class RefundState:
    """The money side of a reservation, for operators. `busy`: a process is at it; `next_try_at` is None when no refund
    is owed, or none is tried before an operator says so.
    """

    payment: PaymentStatus
    provider: str | None
    code: str | None
    attempts: int
    needs_person_at: datetime | None
    next_try_at: datetime | None
    busy: bool


class Reservations:
    """All calls raise StoreUnavailable when PostgreSQL is away; a write may then have happened or not."""

    def __init__(
        self,
        database: databases.Database,
        *,
        lease_seconds: float,
        deadline_seconds: float,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`wake` is called after an event was written that somebody waits for."""
        self._database = database
        self._wake = wake
        self._lease = lease_seconds
        self._deadline = deadline_seconds

    async def begin(self, new: NewReservation, token: str | None) -> Claim | None:
        """PAYING with all that belongs to it, claimed by `token` (or for any process, when None).

        None: refused; a seat is not available, its fence is younger, or the idempotency key was used.
        """
        try:
            row = await self._row(
                _BEGIN,
                new.id,
                new.event_id,
                new.visitor,
                new.idempotency_key,
                new.request_digest,
                new.email,
                new.language,
                new.payment_key,
                sorted(new.seats),
                new.fence,
                self._deadline,
                token,
                self._lease,
            )
        except asyncpg.UniqueViolationError:
            return None
        if row is None:
            return None
        return Claim(
            token=token or "",
            reservation=_reservation(row),
            payment_key=row["payment_key"],
            event_name=row["event_name"],
            status=PaymentStatus.NEW,
            provider=None,
            provider_key=None,
            attempts=0,
            past_deadline=False,
            untold=False,
            settled=(),
        )

    async def change(
        self,
        id: UUID,
        change: Change,
        payment: PaymentChange,
        *,
        expected_token: str | None,
        token: str,
        reason: Reason | None = None,
        ticket_code: str | None = None,
    ) -> Claim | None:
        """Carries out a row of `TRANSITIONS`; returns the payment as it is afterwards, untold, claimed by `token`.

        `expected_token`: the claim that the caller has; None for a payment that nobody works on.
        None: not in that state (any more), or claimed by somebody else; nothing happened.
        """
        check_arguments(change, reason, ticket_code)
        rule = TRANSITIONS[change]
        row = await self._row(
            _TRANSITION,
            id,
            rule.before,
            rule.after,
            reason,
            ticket_code,
            rule.seats_before,
            rule.seats_after,
            rule.whole,
            list(payment.before),
            payment.after,
            expected_token,
            token,
            self._lease,
            payment.provider,
            payment.provider_key,
            payment.error_code,
            payment.pause,
        )
        if row is None:
            return None
        # Only for ends, of which people and figures are told; "paying" goes along with the next look.
        self._wake()
        return _claim(row, token)

    async def find(self, visitor: str, event_id: int, idempotency_key: str) -> Stored | None:
        """The reservation that this visitor's key made."""
        return _stored(await self._row(_OF_KEY, visitor, event_id, idempotency_key))

    async def get(self, id: UUID) -> Stored | None:
        return _stored(await self._row(_OF_ID, id))

    async def of_basket(self, visitor: str, event_id: int, fence: int) -> Stored | None:
        """The visitor's reservation of the basket with this fence, under way or over."""
        return _stored(await self._row(_OF_FENCE, visitor, event_id, fence))

    async def seat_truth(self, event_id: int, ordinals: Sequence[int]) -> Mapping[int, SeatStatus]:
        async with raw(self._database) as connection:
            rows = await connection.fetch(_SEAT_TRUTH, event_id, list(ordinals))
        return {row["ordinal"]: SeatStatus(row["status"]) for row in rows}

    async def claim_due(self, limit: int, token: str) -> list[Claim]:
        """Up to `limit` payments whose time has come and that nobody works on; each is claimed by `token`."""
        async with raw(self._database) as connection:
            rows = await connection.fetch(_CLAIM_DUE, limit, token, self._lease)
        return [_claim(row, token) for row in rows]

    async def claimed(self, id: UUID, token: str) -> Claim | None:
        """The claim as it is now; None when it is not `token`'s any more."""
        row = await self._row(_CLAIMED, id, token)
        return _claim(row, token) if row is not None else None

    async def called(self, id: UUID, token: str, provider: str) -> None:
        """Writes down that `provider` is about to be asked to charge, and renews the lease. Raises ClaimLost."""
        if await self._row(_CALLED, id, token, provider, self._lease) is None:
            raise ClaimLost

    async def renew(self, id: UUID, token: str) -> None:
        """Raises ClaimLost."""
        if await self._row(_RENEW, id, token, self._lease) is None:
            raise ClaimLost

    async def wait(
        self, id: UUID, token: str, status: PaymentStatus, reason: Reason, pause: float, error_code: str | None
    ) -> None:
        """Still PAYING; the next attempt is in `pause` seconds. Raises ClaimLost."""
        if await self._row(_WAIT, id, token, status, reason, pause, error_code) is None:
            raise ClaimLost

    async def refunded(self, id: UUID, token: str, code: str | None) -> None:
        """Raises ClaimLost."""
        if await self._row(_REFUNDED, id, token, code) is None:
            raise ClaimLost

    async def owe(self, id: UUID, token: str, provider: str | None, provider_key: str | None) -> bool:
        """A charge was found for a reservation that is over: REFUNDING, claimed. False: it is not over."""
        return await self._row(_OWE, id, token, self._lease, provider, provider_key) is not None

    async def refund_later(
        self, id: UUID, token: str, *, told: bool, pause: float | None, needs_person: bool, code: str | None
    ) -> bool:
        """Gives the claim back; the next try is in `pause` seconds (None: when an operator says so). True when a person
        is needed from now on.
        """
        row = await self._row(_REFUND_LATER, id, token, told, pause, needs_person, code)
        return bool(row and row["newly"])

    async def refund_now(self, id: UUID, token: str) -> Claim | None:
        """A refund that is owed, claimed whenever its next try would have been; None: not owed, or at work already."""
        row = await self._row(_REFUND_NOW, id, token, self._lease)
        return _claim(row, token) if row is not None else None

    async def refund_state(self, id: UUID) -> RefundState | None:
        row = await self._row(_REFUND_STATE, id)
        if row is None:
            return None
        return RefundState(
            payment=PaymentStatus(row["status"]),
            provider=row["provider"],
            code=row["error_code"],
            attempts=row["attempts"],
            needs_person_at=row["needs_person_at"],
            next_try_at=row["next_try_at"],
            busy=bool(row["busy"]),
        )

    async def leave(self, id: UUID, token: str, *, told: bool, pause: float | None = None) -> None:
        """Gives the claim back, if it is still `token`'s; the next attempt is in `pause` seconds (None: as it was)."""
        async with raw(self._database) as connection:
            await connection.execute(_LEAVE, id, token, told, pause)

    async def _row(self, statement: str, *arguments: Any) -> Any:
        async with raw(self._database) as connection:
            try:
                return await connection.fetchrow(statement, *arguments)
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                # Ours all lock in the same order; somebody else's statement may not. Nothing was written: once more.
                return await connection.fetchrow(statement, *arguments)


def _reservation(row: Any) -> Reservation:
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
    )


def _stored(row: Any) -> Stored | None:
    if row is None:
        return None
    return Stored(_reservation(row), row["request_digest"], row["starts_at"])


def _claim(row: Any, token: str) -> Claim:
    return Claim(
        token=token,
        reservation=_reservation(row),
        payment_key=row["payment_key"],
        event_name=row["event_name"],
        status=PaymentStatus(row["payment_status"]),
        provider=row["provider"],
        provider_key=row["provider_key"],
        attempts=row["attempts"],
        past_deadline=row["past_deadline"],
        untold=row["untold"],
        settled=tuple(row["settled"] or ()),
        needs_person=row["needs_person"],
    )
