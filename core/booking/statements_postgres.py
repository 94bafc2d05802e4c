"""The statements of `sql/`, with their includes put in; and what they have in common when they run."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import asyncpg
import databases

from core.database import raw

_SQL = Path(__file__).parent / "sql"
_INCLUDE = re.compile(r"^ *--#include (\S+)$", re.MULTILINE)


def statement(name: str) -> str:
    return _included((_SQL / f"{name}.sql").read_text())


def _included(text: str) -> str:
    return _INCLUDE.sub(lambda match: _included((_SQL / match[1]).read_text()), text)


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
