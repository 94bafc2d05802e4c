"""The statements of `sql/`, and what they have in common when they run."""

from __future__ import annotations

import functools
import re
from typing import Any, Final

import asyncpg
import databases

from core.database import raw
from core.process.source_files import SourceFiles

STATEMENTS: Final = SourceFiles(__file__, "sql")


@functools.cache
def _writes(query: str) -> bool:
    return re.search(r"\b(INSERT|UPDATE|DELETE)\b", re.sub(r"FOR (NO KEY )?UPDATE", "", query)) is not None


async def fetch_row(database: databases.Database, query: str, *arguments: Any) -> Any:
    """Raises StoreUnavailable; OutcomeUnknown where the statement writes and its answer was lost."""
    async with raw(database, writes=_writes(query)) as connection:
        try:
            return await connection.fetchrow(query, *arguments)
        except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
            # Ours all lock in the same order; somebody else's statement may not. Nothing was written: once more.
            return await connection.fetchrow(query, *arguments)
