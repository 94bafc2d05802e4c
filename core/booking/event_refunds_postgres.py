"""A whole event's money goes back: one job, paced, that any process goes on with, and its report (P7).

First nobody can pay any more: what waits for its buyer is ended, what is authorised or called is waited for. Then the
confirmed reservations are refunded, oldest first, never more at once than `AT_ONCE`. When the provider refuses (its
account is empty) the job stops and says so; asked again under the same key it goes on. Every refund is a row of its
own, durable by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
import structlog

from core.booking.giving_back import GivingBack
from core.booking.refund import RefundAsked
from core.booking.reservation import Reason
from core.booking.statements_postgres import fetch_row
from core.database import raw
from core.errors import KeyReused, OnsaleError

if TYPE_CHECKING:
    import databases

log = structlog.get_logger(__name__)

#: Refunds of one job that are under way at once.
AT_ONCE: Final = 20
#: So many refunds that the provider has refused, and the job stops.
MOST_REFUSED: Final = 5
_LEASE_SECONDS: Final = 60.0

_START = """
WITH event AS (
    UPDATE events SET status = 'CLOSED', cancelled_at = coalesce(cancelled_at, now()), updated_at = now()
    WHERE id = $1 RETURNING id
)
INSERT INTO event_refunds (event_id, idempotency_key, reason, asked_by)
SELECT id, $2, $3, $4 FROM event
ON CONFLICT (event_id, idempotency_key) DO UPDATE
SET state = CASE WHEN event_refunds.state = 'STOPPED' THEN 'RUNNING' ELSE event_refunds.state END, next_attempt_at =
now() RETURNING id, reason
"""
_AGAIN = """
UPDATE refunds SET next_attempt_at = now(), tries = 0, code = NULL, needs_person_at = NULL
WHERE event_refund_id = $1 AND state = 'PENDING' AND code IS NOT NULL
"""
_CLAIM = """
UPDATE event_refunds SET claimed_by = $1, claimed_until = now() + make_interval(secs => $2::float8)
WHERE id = (
    SELECT id FROM event_refunds
    WHERE state = 'RUNNING' AND next_attempt_at <= now() AND (claimed_until IS NULL OR claimed_until <= now())
    ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING *
"""
_LEAVE = """
UPDATE event_refunds
SET claimed_by = NULL, claimed_until = NULL, state = $3, next_attempt_at = now() + make_interval(secs => $4::float8),
    done_at = CASE WHEN $3 = 'DONE' THEN now() END
WHERE id = $1 AND claimed_by = $2
"""
_WAITING = """
SELECT a.order_no FROM reservations r JOIN payment_attempts a ON a.reservation_id = r.id AND NOT a.superseded
WHERE r.event_id = $1 AND r.status = 'PAYING' AND a.state IN ('OPEN', 'CLOSED', 'DECLINED', 'AUTHORISED')
ORDER BY r.created_at LIMIT $2
"""
_CONFIRMED = """
SELECT id FROM reservations WHERE event_id = $1 AND status = 'CONFIRMED' ORDER BY created_at LIMIT $2
"""
_FIGURES = """
SELECT (SELECT count(*) FROM reservations WHERE event_id = $1 AND status = 'PAYING') AS paying,
       (SELECT count(*) FROM reservations WHERE event_id = $1 AND status = 'CONFIRMED') AS left,
       count(*) FILTER (WHERE f.state = 'DONE') AS done, coalesce(sum(f.amount) FILTER (WHERE f.state = 'DONE'),
           0)::bigint AS amount,
       count(*) FILTER (WHERE f.state = 'PENDING') AS pending,
       count(*) FILTER (WHERE f.state = 'PENDING' AND f.round > 0 AND f.code IS NOT NULL) AS refused,
       count(*) FILTER (WHERE f.state = 'PENDING' AND f.needs_person_at IS NOT NULL) AS people,
       max(f.code) FILTER (WHERE f.state = 'PENDING') AS code
FROM refunds f WHERE f.event_refund_id = $2
"""
_UNMADE = """
SELECT reservation_id AS reservation, coalesce(amount, 0) AS amount, code, tries, needs_person_at,
       nullif(next_attempt_at, 'infinity') AS next_try_at
FROM refunds WHERE event_refund_id = $1 AND state = 'PENDING' AND code IS NOT NULL
    AND (round > 0 OR needs_person_at IS NOT NULL)
ORDER BY number LIMIT $2
"""
#: Refunds that the report names one by one.
_MOST_NAMED: Final = 50
_OF_EVENT = "SELECT * FROM event_refunds WHERE event_id = $1 ORDER BY created_at"


@dataclass(frozen=True, slots=True)
class UnmadeRefund:
    """A refund that the provider refuses; `next_try_at` None: none before an operator says so."""

    reservation: UUID
    amount: int
    code: str | None
    tries: int
    needs_person_at: datetime | None
    next_try_at: datetime | None


@dataclass(frozen=True, slots=True)
class EventRefund:
    """The report. `state`: RUNNING, STOPPED (the provider refuses: `code`), DONE. Counts of refunds: `done` with their
    sum in minor units, `pending`, of those `refused` at least once, and `people` that a person has to look at; of
    reservations: `left` to be refunded, `paying` that are waited for. `unmade`: the first of the refused ones.
    """

    id: UUID
    key: str
    state: str
    reason: str
    asked_by: str
    created_at: datetime
    done_at: datetime | None
    done: int
    amount: int
    pending: int
    refused: int
    people: int
    left: int
    paying: int
    code: str | None
    unmade: Sequence[UnmadeRefund]


class EventRefunds:
    """All calls raise StoreUnavailable."""

    def __init__(self, database: databases.Database, checkout: GivingBack, process: str) -> None:
        self._database = database
        self._checkout = checkout
        self._process = process

    async def start(self, event_id: int, *, key: str, reason: str, asked_by: str) -> EventRefund:
        """The event is cancelled, its sale closed; a job that had stopped under this key goes on. Raises KeyReused."""
        row = await fetch_row(self._database, _START, event_id, key, reason, asked_by)
        if row["reason"] != reason:
            raise KeyReused()
        async with raw(self._database, writes=True) as connection:
            await connection.execute(_AGAIN, row["id"])
        (found,) = [one for one in await self.of_event(event_id) if one.id == row["id"]]
        return found

    async def of_event(self, event_id: int) -> Sequence[EventRefund]:
        """The event's jobs, the oldest first."""
        async with raw(self._database) as connection:
            return [await _report(connection, row) for row in await connection.fetch(_OF_EVENT, event_id)]

    async def work(self) -> None:
        """One round of one job, if there is any. Any number of processes may do so at once."""
        row = await fetch_row(self._database, _CLAIM, self._process, _LEASE_SECONDS)
        if row is None:
            return
        state, pause = "RUNNING", 1.0
        try:
            state = await self._round(row)
        except OnsaleError as error:
            pause = 5.0
            log.warning("event refund goes on later", event_id=row["event_id"], cause=repr(error))
        async with raw(self._database) as connection:
            await connection.execute(_LEAVE, row["id"], self._process, state, pause)
        if state != "RUNNING":
            log.warning("event refund ended", event_id=row["event_id"], state=state)

    async def _round(self, row: Any) -> str:
        """Does one round of the job; returns its state afterwards."""
        event_id = row["event_id"]
        async with raw(self._database) as connection:
            waiting = [one["order_no"] for one in await connection.fetch(_WAITING, event_id, AT_ONCE)]
            figures: Any = await connection.fetchrow(_FIGURES, event_id, row["id"])
        for order in waiting:
            await self._checkout.end_for_event(order)
        if figures["refused"] >= MOST_REFUSED:
            return "STOPPED"
        free = AT_ONCE - figures["pending"]
        async with raw(self._database) as connection:
            ids = [one["id"] for one in await connection.fetch(_CONFIRMED, event_id, max(0, free))]
        for id in ids:
            asked = RefundAsked(
                key=f"event:{row['id'].hex}",
                reason=row["reason"],
                asked_by=row["asked_by"],
                ends_as=Reason.EVENT_CANCELLED,
                event_refund=row["id"],
            )
            await self._checkout.refund(id, asked)
        over = not waiting and not ids and not figures["paying"] and not figures["pending"] and not figures["left"]
        return "DONE" if over else "RUNNING"


async def _report(connection: asyncpg.Connection, row: Any) -> EventRefund:
    figures: Any = await connection.fetchrow(_FIGURES, row["event_id"], row["id"])
    unmade = await connection.fetch(_UNMADE, row["id"], _MOST_NAMED)
    return EventRefund(
        id=row["id"],
        key=row["idempotency_key"],
        state=row["state"],
        reason=row["reason"],
        asked_by=row["asked_by"],
        created_at=row["created_at"],
        done_at=row["done_at"],
        unmade=[UnmadeRefund(**one) for one in unmade],
        **{
            name: figures[name] for name in ("done", "amount", "pending", "refused", "people", "left", "paying", "code")
        },
    )
