"""Who did what to the sale: one row for each thing an operator does, kept in `audit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import databases

from core.database import planned_anew, raw

if TYPE_CHECKING:
    import asyncpg

#: The actor of what the system did by itself: mending, alerts.
SYSTEM = "onsale"

_RECORD = "INSERT INTO audit (actor, action, subject, detail) VALUES ($1, $2, $3, $4)"
_PAGE = """
SELECT id, at, actor, action, subject, detail FROM audit
WHERE ($1::bigint IS NULL OR id < $1) AND ($2::text IS NULL OR subject = $2) ORDER BY id DESC LIMIT $3
"""
_ONCE = """
INSERT INTO audit (actor, action, subject, detail) SELECT $1, $2, $3, $4
WHERE NOT EXISTS (
    SELECT FROM audit WHERE at > now() - make_interval(secs => $5) AND action = $2 AND subject = $3)
RETURNING id
"""
# `count`: one entry may speak of many seats.
_HEALED = """
SELECT action, subject, max(id) AS newest, sum(coalesce((detail->>'count')::bigint, 1))::bigint AS count
FROM audit WHERE id > $1 AND actor = $2 AND action LIKE 'heal.%' GROUP BY action, subject ORDER BY action, subject
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row; `id` only grows."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


async def record_on(connection: asyncpg.Connection, *, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Like `record`, in the transaction of what was done."""
    await connection.execute(_RECORD, actor, action, subject, detail)


async def record(database: databases.Database, *, actor: str, action: str, subject: str, **detail: Any) -> None:
    """`actor` did `action` (`sale.open`) to `subject` (a slug). Raises StoreUnavailable."""
    async with raw(database) as connection:
        await record_on(connection, actor=actor, action=action, subject=subject, **detail)


async def page(
    database: databases.Database, *, before: int | None = None, subject: str | None = None, limit: int = 50
) -> Sequence[Entry]:
    """The newest entries first, of one subject or of all; `before`: those older than this id.

    Raises StoreUnavailable.
    """
    async with raw(database) as connection, planned_anew(connection):
        return [Entry(*row.values()) for row in await connection.fetch(_PAGE, before, subject, limit)]


async def record_once(
    database: databases.Database, *, actor: str, action: str, subject: str, seconds: float, **detail: Any
) -> bool:
    """Like `record`, unless the same action on the same subject is younger than `seconds`: then False.

    Of several processes that ask at once one is told True. Raises StoreUnavailable.
    """
    async with raw(database) as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"audit {action} {subject}")
        id = await connection.fetchval(_ONCE, actor, action, subject, detail, seconds)
    return id is not None


async def newest(database: databases.Database) -> int:
    """The id of the newest entry, 0 when there is none. Raises StoreUnavailable."""
    async with raw(database) as connection:
        return int(await connection.fetchval("SELECT coalesce(max(id), 0) FROM audit"))


async def healed_since(database: databases.Database, after: int) -> tuple[int, Sequence[tuple[str, str, int]]]:
    """(the newest id, (action, subject, how many) of what the system mended by itself after `after`).

    Raises StoreUnavailable.
    """
    async with raw(database) as connection:
        rows = await connection.fetch(_HEALED, after, SYSTEM)
    newest_id = max((row["newest"] for row in rows), default=after)
    return newest_id, [(row["action"], row["subject"], row["count"]) for row in rows]
