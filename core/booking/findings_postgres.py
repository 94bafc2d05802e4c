"""What the comparison with the providers' lists found, and how far each was compared: kept in PostgreSQL (P6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import databases

from core.booking.attempt import AttemptState
from core.booking.comparison import Booked, Difference, Kind
from core.booking.statements_postgres import STATEMENTS, fetch_row
from core.database import BACKGROUND_SECONDS, raw
from core.payments.account import Account

_BOOKED = STATEMENTS["booked"]
_FINDING = STATEMENTS["finding"]
_GET = "SELECT * FROM payment_findings WHERE id = $1"
_LATEST = """
SELECT * FROM payment_findings ORDER BY state = 'OPEN' DESC, found_at DESC, id LIMIT $1
"""
_OPEN = """
SELECT *, count(*) OVER () AS among FROM payment_findings WHERE state = 'OPEN' ORDER BY found_at, id LIMIT $1
"""
_END = """
UPDATE payment_findings SET state = 'MENDED', ended_at = now(), ended_by = $2 WHERE id = $1 AND state = 'OPEN'
RETURNING id
"""
# What a whole reading of the list did not show again is not there any more.
_GONE = """
UPDATE payment_findings SET state = 'GONE', ended_at = now(), ended_by = 'system'
WHERE provider = $1 AND environment = $2 AND state = 'OPEN' AND charged_at >= $3 AND charged_at < $4 AND seen_at < $5
"""
_NOW = "SELECT clock_timestamp()"
_LISTS = "SELECT * FROM provider_lists ORDER BY provider, environment"
_DONE = """
INSERT INTO provider_lists AS l (provider, environment, compared_until, whole_at, charges, tried_at)
VALUES ($1, $2, $3, CASE WHEN $4::boolean THEN now() END, $5, now())
ON CONFLICT (provider, environment) DO UPDATE
SET compared_until = greatest(l.compared_until, excluded.compared_until),
    whole_at = coalesce(excluded.whole_at, l.whole_at), charges = excluded.charges, tried_at = now(), code = NULL
"""
_FAILED = """
INSERT INTO provider_lists (provider, environment, tried_at, code) VALUES ($1, $2, now(), $3)
ON CONFLICT (provider, environment) DO UPDATE SET tried_at = now(), code = excluded.code
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A row of `payment_findings`. Money in minor units; `state`: OPEN, MENDED (`ended_by` an operator), GONE (a later
    comparison did not see it again).
    """

    id: UUID
    provider: str
    environment: str
    order: str
    provider_key: str
    kind: Kind
    reservation_id: UUID | None
    currency: str
    amount_there: int
    left_there: int
    amount_here: int
    left_here: int
    charged_at: datetime
    state: str
    found_at: datetime
    ended_at: datetime | None
    ended_by: str | None

    @property
    def account(self) -> Account:
        return Account(self.provider, self.environment)


@dataclass(frozen=True, slots=True)
class Compared:
    """How far one account's list was compared. `code`: why the last try did not come to its end; None: it did."""

    provider: str
    environment: str
    compared_until: datetime | None
    whole_at: datetime | None
    charges: int
    tried_at: datetime | None
    code: str | None


class FindingRows:
    """All calls raise StoreUnavailable."""

    def __init__(self, database: databases.Database) -> None:
        self._database = database

    async def now(self) -> datetime:
        """PostgreSQL's time: what is written and what is held against it have one clock."""
        async with raw(self._database) as connection:
            moment: datetime = await connection.fetchval(_NOW)
        return moment

    async def booked(self, provider: str, orders: Sequence[str], lately: datetime) -> Mapping[str, Booked]:
        """Those of the orders that are attempts of ours. A refund since `lately` may not be in the list yet."""
        async with raw(self._database) as connection:
            rows = await connection.fetch(_BOOKED, list(orders), provider, lately, timeout=BACKGROUND_SECONDS)
        return {
            row["order_no"]: Booked(
                order=row["order_no"],
                reservation_id=row["reservation_id"],
                state=AttemptState(row["state"]),
                provider_key=row["provider_key"],
                amount=row["amount"],
                currency=row["currency"],
                done=row["done"],
                pending=row["pending"],
                busy=row["busy"],
            )
            for row in rows
        }

    async def add(self, account: Account, found: Difference, began: datetime) -> bool:
        """True when it is new. `began`: when the list was begun to be read."""
        charge = found.charge
        row = await fetch_row(
            self._database,
            _FINDING,
            account.provider,
            account.environment,
            charge.order,
            charge.provider_key,
            found.kind,
            found.reservation_id,
            charge.currency,
            charge.amount,
            charge.balance,
            found.amount_here,
            found.left_here,
            charge.approved_at,
            began,
        )
        return bool(row and row["new"])

    async def get(self, id: UUID) -> Found | None:
        row = await fetch_row(self._database, _GET, id)
        return None if row is None else _found(row)

    async def latest(self, limit: int) -> list[Found]:
        """The open ones first, each the newest first."""
        async with raw(self._database) as connection:
            return [_found(row) for row in await connection.fetch(_LATEST, limit)]

    async def end(self, id: UUID, by: str) -> bool:
        """Mended by an operator. False: it was not open."""
        return await fetch_row(self._database, _END, id, by) is not None

    async def gone(self, account: Account, since: datetime, until: datetime, began: datetime) -> None:
        """The list of that time was read to its end since `began`: what it did not show again is over."""
        async with raw(self._database) as connection:
            await connection.execute(_GONE, account.provider, account.environment, since, until, began)

    async def compared(self) -> list[Compared]:
        async with raw(self._database) as connection:
            return [Compared(**row) for row in await connection.fetch(_LISTS)]

    async def done(self, account: Account, until: datetime | None, *, whole: bool, charges: int) -> None:
        """`until`: compared up to there; None: a time in between was, on its own."""
        async with raw(self._database) as connection:
            await connection.execute(_DONE, account.provider, account.environment, until, whole, charges)

    async def failed(self, account: Account, code: str) -> None:
        async with raw(self._database) as connection:
            await connection.execute(_FAILED, account.provider, account.environment, code)


async def open_findings(database: databases.Database, limit: int) -> tuple[list[Found], int]:
    """The oldest that nobody has mended, `limit` at most, and how many there are. Raises StoreUnavailable."""
    async with raw(database) as connection:
        rows = await connection.fetch(_OPEN, limit)
    return [_found(row) for row in rows], rows[0]["among"] if rows else 0


#: A list that could not be compared for so long is told (the comparison is hourly).
LATE: timedelta = timedelta(hours=3)


def _found(row: Any) -> Found:
    return Found(
        id=row["id"],
        provider=row["provider"],
        environment=row["environment"],
        order=row["order_no"],
        provider_key=row["provider_key"],
        kind=Kind(row["kind"]),
        reservation_id=row["reservation_id"],
        currency=row["currency"],
        amount_there=row["amount_there"],
        left_there=row["left_there"],
        amount_here=row["amount_here"],
        left_here=row["left_here"],
        charged_at=row["charged_at"],
        state=row["state"],
        found_at=row["found_at"],
        ended_at=row["ended_at"],
        ended_by=row["ended_by"],
    )
