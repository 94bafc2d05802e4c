"""Refunds in PostgreSQL: claimed with a lease, ended or left for later by one statement each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import databases

from core.booking.attempt import Owed
from core.booking.refund import Made, RefundAsked, RefundClaim, RefundProgress, RefundState, Worth
from core.booking.statements_postgres import STATEMENTS, fetch_row
from core.booking.stored import ClaimLost
from core.database import planned_anew, raw

_ASK = STATEMENTS["refund"]
_OF_CAUSE = STATEMENTS["refund_of"]
_CLAIM = STATEMENTS["claim_refunds"]
_DONE = STATEMENTS["refund_done"]
_LATER = STATEMENTS["refund_later"]
_RENEW = STATEMENTS["refund_renew"]
_PROGRESS = STATEMENTS["refund_progress"]
_WORTH = STATEMENTS["worth"]
_OWE = STATEMENTS["owe"]
_VOID_LATE = STATEMENTS["void_late"]
_NOTE = STATEMENTS["note_refund"]

#: Returns with further keys that one order's rows are written for; more are nobody's honest doing.
_MOST_ROWS = 12


class RefundRows:
    """All calls raise StoreUnavailable when PostgreSQL is away; a write may then have happened or not."""

    def __init__(
        self,
        database: databases.Database,
        *,
        lease_seconds: float,
        accounts: Sequence[str] | None = None,
        wake: Callable[[], None] = lambda: None,
        return_seconds: float = 0.0,
    ) -> None:
        self._wake = wake
        self._return = return_seconds
        self._accounts = list(accounts) if accounts is not None else None
        self._database = database
        self._lease = lease_seconds

    async def claim(
        self, limit: int, token: str, *, order: str | None = None, early: bool = False
    ) -> list[RefundClaim]:
        """Up to `limit` refunds that are due (with `early`: also those whose time has not come), of any attempt or
        one's.
        """
        async with raw(self._database) as connection, planned_anew(connection) if order else contextlib.nullcontext():
            rows = await connection.fetch(_CLAIM, limit, token, self._lease, order, early, self._accounts)
        return [_claim(row, token) for row in rows]

    async def ask(self, order: str, cause: str, digest: str, asked: RefundAsked, token: str) -> Made | None:
        """Writes a refund with all that belongs to it; the attempt is claimed by `token`, to be told. None: refused,
        see `sql/refund.sql`; also when there is one for this cause.
        """
        try:
            row = await fetch_row(
                self._database,
                _ASK,
                order,
                cause,
                digest,
                list(asked.seats) if asked.seats is not None else None,
                asked.amount,
                asked.refunded_before,
                asked.fee,
                asked.fee_percent,
                asked.reason,
                asked.asked_by,
                asked.release,
                token,
                self._lease,
                asked.ends_as,
                asked.event_refund,
                asked.noted,
                self._return,
            )
        except asyncpg.UniqueViolationError:
            return None
        if row is None:
            return None
        self._wake()
        return Made(row["id"], row["amount"], row["fee"], RefundState(row["state"]), row["status"])

    async def of_cause(self, order: str, cause: str) -> Made | None:
        row = await fetch_row(self._database, _OF_CAUSE, order, cause)
        if row is None:
            return None
        state = RefundState(row["state"])
        return Made(row["id"], row["amount"], row["fee"], state, row["status"], row["request_digest"])

    async def renew(self, id: UUID, token: str) -> None:
        """Raises ClaimLost."""
        if await fetch_row(self._database, _RENEW, id, token, self._lease) is None:
            raise ClaimLost

    async def done(self, id: UUID, token: str, code: str | None, refund_key: str | None) -> None:
        """Raises ClaimLost."""
        if await fetch_row(self._database, _DONE, id, token, code, refund_key) is None:
            raise ClaimLost

    async def later(
        self, id: UUID, token: str, *, pause: float | None, needs_person: bool, code: str | None, refused: bool
    ) -> bool:
        """Gives the claim back; the next try is in `pause` seconds (None: when an operator says so). True when a person
        is needed from now on.
        """
        row = await fetch_row(self._database, _LATER, id, token, pause, needs_person, code, refused)
        return bool(row and row["newly"])

    async def owe(self, order: str, provider_key: str | None) -> bool:
        """A charge was found for an attempt that is over: it is owed back. False: it is not over."""
        return await fetch_row(self._database, _OWE, order, provider_key) is not None

    async def void_late(self, order: str, provider_key: str) -> None:
        """The authorisation of a return that came too late is let go of, durably and once for each key."""
        await fetch_row(self._database, _VOID_LATE, order, provider_key, f"void:{provider_key}", _MOST_ROWS)

    async def note(self, order: str, cause: str, amount: int, *, reason: str, asked_by: str) -> bool:
        """Money of a reservation that is over went back in the provider's dashboard: written down, once for each cause.
        False: it was, or more than is left.
        """
        return await fetch_row(self._database, _NOTE, order, cause, amount, reason, asked_by) is not None

    async def worth(self, reservation: UUID) -> Worth | None:
        """None: it is not confirmed (any more)."""
        row = await fetch_row(self._database, _WORTH, reservation)
        if row is None:
            return None
        return Worth(row["worth"], row["paid_for"], dict(row["prices"]))

    async def progress(self, reservation: UUID) -> RefundProgress | None:
        """None: there is no such reservation."""
        row = await fetch_row(self._database, _PROGRESS, reservation)
        if row is None:
            return None
        return RefundProgress(
            owed=row["owed"],
            provider=row["provider"],
            code=row["code"],
            tries=row["tries"],
            needs_person_at=row["needs_person_at"],
            next_try_at=row["next_try_at"],
            busy=bool(row["busy"]),
        )


def _claim(row: Any, token: str) -> RefundClaim:
    return RefundClaim(
        id=row["id"],
        token=token,
        kind=Owed(row["kind"]),
        reservation_id=row["reservation_id"],
        order=row["order_no"],
        provider=row["provider"],
        environment=row["environment"],
        provider_key=row["key"],
        charged=row["charged"],
        currency=row["currency"],
        event_name=row["event_name"],
        amount=row["amount"],
        refunded_before=row["refunded_before"],
        reason=row["reason"],
        tries=row["tries"],
        round=row["round"],
        marked=row["needs_person_at"] is not None,
    )
