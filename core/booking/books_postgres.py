"""The books: every movement of money as CSV, for a shop's accounts (P8).

The sum of `amount` over the rows that are DONE is what is left at the providers: charges less what was given back.
`fee` is what was kept of a refund, and moves nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any, Final

import databases

from core.booking.statements_postgres import STATEMENTS
from core.clock import iso
from core.database import BACKGROUND_SECONDS, planned_anew, raw

_MOVEMENTS = STATEMENTS["movements"]
_PAGE = 5000

COLUMNS: Final = (
    "at",
    "kind",
    "state",
    "event",
    "reservation",
    "order",
    "provider",
    "provider_key",
    "amount",
    "fee",
    "currency",
    "method",
    "approval_number",
    "reason",
    "asked_by",
)
#: What a spreadsheet takes for the beginning of a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


async def movements(
    database: databases.Database, *, event_id: int | None, since: datetime | None, before: datetime | None
) -> AsyncGenerator[str, None]:
    """CSV in pieces, the heading first; no connection is held between them. Times are UTC, money in minor units.

    Raises StoreUnavailable.
    """
    last_at, last_id, head = None, "", [_line(COLUMNS)]
    while True:
        async with raw(database) as connection, planned_anew(connection):
            rows = await connection.fetch(
                _MOVEMENTS, event_id, since, before, last_at, last_id, _PAGE, timeout=BACKGROUND_SECONDS
            )
        yield "".join([*head, *(_line(_cells(row)) for row in rows)])
        if len(rows) < _PAGE:
            return
        last_at, last_id, head = rows[-1]["at"], rows[-1]["id"], []


def _cells(row: Any) -> Sequence[object]:
    return (
        iso(row["at"]),
        row["kind"],
        row["state"],
        row["slug"],
        row["reservation_id"],
        row["order_no"],
        row["provider"],
        row["key"],
        row["amount"],
        row["fee"],
        row["currency"],
        row["method"],
        row["approval_number"],
        row["reason"],
        row["asked_by"],
    )


def _line(cells: Sequence[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([_defused(cell) for cell in cells])
    return out.getvalue()


def _defused(cell: object) -> object:
    """What others have written must not be run by the spreadsheet that opens it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
