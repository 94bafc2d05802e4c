"""Who did what to the sale: one row for each thing an operator does, kept in `audit`."""

from __future__ import annotations

from typing import Any

import databases

from core.database import raw


async def record(database: databases.Database, *, actor: str, action: str, subject: str, **detail: Any) -> None:
    """`actor` did `action` (`sale.open`) to `subject` (a slug). Raises StoreUnavailable."""
    async with raw(database) as connection:
        await connection.execute(
            "INSERT INTO audit (actor, action, subject, detail) VALUES ($1, $2, $3, $4)", actor, action, subject, detail
        )
