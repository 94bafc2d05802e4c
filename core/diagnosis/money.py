"""The reservation, its payment, and the circuits of the providers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import databases

from core.booking.reservation import Reason
from core.clock import iso
from core.database import raw
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.payments.breaker import Mode
from core.payments.breaker_redis import CircuitView

# A due payment is claimed within a second or two; nobody working on it after this long is a fault.
_STUCK_SECONDS = 30

_RESERVATION = """
SELECT r.id, r.visitor, r.status, r.reason, r.amount, r.currency, r.created_at, r.updated_at, e.slug,
       p.status AS payment, p.provider, p.error_code, p.attempts, p.deadline, p.untold,
       p.next_attempt_at < now() - make_interval(secs => $2)
           AND (p.claimed_until IS NULL OR p.claimed_until < now() - make_interval(secs => $2)) AS overdue,
       array(SELECT ordinal FROM reservation_seats s WHERE s.reservation_id = r.id ORDER BY ordinal) AS seats
FROM reservations r JOIN events e ON e.id = r.event_id LEFT JOIN payments p ON p.reservation_id = r.id
WHERE r.id = $1
"""
_LATEST = """
SELECT r.id FROM reservations r WHERE r.event_id = $1 AND r.visitor = $2 ORDER BY r.created_at DESC LIMIT 1
"""


async def find_reservation(database: databases.Database, id: UUID) -> Any | None:
    """The row with its payment, its event's slug and its seats. Raises StoreUnavailable."""
    async with raw(database) as connection:
        return await connection.fetchrow(_RESERVATION, id, float(_STUCK_SECONDS))


async def latest_reservation(database: databases.Database, event_id: int, visitor: str) -> UUID | None:
    async with raw(database) as connection:
        id: UUID | None = await connection.fetchval(_LATEST, event_id, visitor)
    return id


async def reservation(row: Any) -> AsyncIterator[Finding]:
    step = "reservation"
    facts = (
        f"{row['status']} since {iso(row['updated_at'])}, seats {list(row['seats'])}, {row['amount']} {row['currency']}"
    )
    payment = (
        f"payment {row['payment']}, {row['attempts']} tries, provider {row['provider'] or 'none yet'}"
        f"{', code ' + row['error_code'] if row['error_code'] else ''}"
    )
    detail = f"{facts}; {payment}"
    open_payment = row["payment"] in ("NEW", "CALLED", "REFUNDING") or row["untold"]
    if open_payment and row["overdue"]:
        yield fail(step, Cause.PAYMENT_STUCK, f"{detail}; due, and no process works on it", fix="payments")
        return
    match row["status"], row["reason"]:
        case "PAYING", Reason.PARKED:
            yield warn(step, Cause.PAYMENT_PARKED, detail)
        case "PAYING", Reason.CHECKING:
            yield warn(step, Cause.PAYMENT_UNKNOWN, f"{detail}; settled by {iso(row['deadline'])} at the latest")
        case "PAYING", _:
            yield warn(step, Cause.PAYMENT_UNDER_WAY, detail)
        case "CONFIRMED", _:
            yield passed(step, detail)
        case _, _ if row["payment"] == "REFUNDING":
            yield warn(step, Cause.REFUND_PENDING, detail)
        case "FAILED", Reason.DECLINED:
            yield warn(step, Cause.PAYMENT_DECLINED, detail)
        case "FAILED", _:
            yield warn(step, Cause.PAYMENT_FAILED, f"{detail}; reason {row['reason']}")
        case _:
            yield warn(step, Cause.RESERVATION_CANCELLED, f"{detail}; reason {row['reason']}")


async def circuits(views: Sequence[CircuitView]) -> AsyncIterator[Finding]:
    shut = {Mode.OPEN, Mode.FORCED_OPEN}
    for view in views:
        rate = "" if view.failure_rate is None else f", {view.failure_rate:.0f}% of {view.calls} calls failed"
        detail = f"{view.provider}: {view.mode}{rate}"
        if view.mode not in shut:
            yield passed("payment circuit", detail)
        elif all(other.mode in shut for other in views):
            yield fail("payment circuit", Cause.CIRCUIT_OPEN, detail)
        else:
            yield warn("payment circuit", Cause.CIRCUIT_OPEN, f"{detail}; another provider is asked")
