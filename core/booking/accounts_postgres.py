"""One reservation's money, for the refund desk: its seats, its attempts, what goes or went back (P7, P8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import databases

from core.booking.reservation import ReservationStatus
from core.database import raw

_RESERVATION = """
SELECT r.id, e.slug, e.name, r.status, r.reason, r.amount, r.currency, r.created_at
FROM reservations r JOIN events e ON e.id = r.event_id WHERE r.id = $1
"""
_SEATS = """
SELECT line.ordinal, seat.zone, seat.row_label AS row, seat.seat_number AS number, seat.category, line.price, line.live
FROM reservation_seats line JOIN seats seat ON seat.event_id = line.event_id AND seat.ordinal = line.ordinal
WHERE line.reservation_id = $1 ORDER BY line.ordinal
"""
_ATTEMPTS = """
SELECT order_no AS order, provider, state, amount, refunded, code, method, approval_number, receipt_url, approved_at,
       created_at
FROM payment_attempts WHERE reservation_id = $1 ORDER BY number
"""
_REFUNDS = """
SELECT f.id, f.kind, f.state, coalesce(f.amount, a.amount) AS amount, f.fee, f.seats, f.reason, f.asked_by, f.code,
       f.created_at, f.done_at, f.needs_person_at, nullif(f.next_attempt_at, 'infinity') AS next_try_at
FROM refunds f JOIN payment_attempts a ON a.order_no = f.order_no
WHERE f.reservation_id = $1 ORDER BY f.number
"""


@dataclass(frozen=True, slots=True)
class AccountSeat:
    """A seat that was ever the reservation's; `live`: it still is. `price` in minor units."""

    ordinal: int
    zone: str
    row: str
    number: str
    category: str
    price: int
    live: bool


@dataclass(frozen=True, slots=True)
class AccountAttempt:
    """One order at a provider. `refunded`: of `amount`, what was or is being given back, in minor units."""

    order: str
    provider: str
    state: str
    amount: int
    refunded: int
    code: str | None
    method: str | None
    approval_number: str | None
    receipt_url: str | None
    approved_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AccountRefund:
    """`kind`: refund, or void (an authorisation that is let go of). `code`: what the provider said to the last try."""

    id: UUID
    kind: str
    state: str
    amount: int
    fee: int
    seats: Sequence[int]
    reason: str
    asked_by: str
    code: str | None
    created_at: datetime
    done_at: datetime | None
    needs_person_at: datetime | None
    next_try_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReservationAccount:
    """Who bought it is not in here: that is told, and written down, where reservations are found."""

    id: UUID
    slug: str
    event_name: str
    status: ReservationStatus
    reason: str | None
    amount: int
    currency: str
    created_at: datetime
    seats: Sequence[AccountSeat]
    attempts: Sequence[AccountAttempt]
    refunds: Sequence[AccountRefund]


async def account_of(database: databases.Database, id: UUID) -> ReservationAccount | None:
    """None: there is no such reservation. Raises StoreUnavailable."""
    async with raw(database) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        found: Any = await connection.fetchrow(_RESERVATION, id)
        if found is None:
            return None
        seats = await connection.fetch(_SEATS, id)
        attempts = await connection.fetch(_ATTEMPTS, id)
        refunds = await connection.fetch(_REFUNDS, id)
    return ReservationAccount(
        id=found["id"],
        slug=found["slug"],
        event_name=found["name"],
        status=ReservationStatus(found["status"]),
        reason=found["reason"],
        amount=found["amount"],
        currency=found["currency"],
        created_at=found["created_at"],
        seats=[AccountSeat(**row) for row in seats],
        attempts=[AccountAttempt(**row) for row in attempts],
        refunds=[AccountRefund(**row) for row in refunds],
    )
