"""The statements of `sql/`, and what they have in common when they run."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import databases

from core.database import raw
from core.errors import OutcomeUnknown, StoreUnavailable
from core.process.gathered import Gathered
from core.process.source_files import SourceFiles

STATEMENTS: Final = SourceFiles(__file__, "sql")

#: Statements that share a transaction wait so long for a lock, each: their neighbours wait along, and all of them have
#: one time to be answered in. Alone each may wait as long as any.
_LOCK_TOGETHER_SECONDS: Final = 0.3
#: What PostgreSQL gets for agreeing that they are over. One that hangs does not: then the pool gives the connection up.
_ROLL_BACK_SECONDS: Final = 0.5
_BEGIN_TOGETHER: Final = f"BEGIN; SET LOCAL lock_timeout = {_LOCK_TOGETHER_SECONDS * 1000:.0f}"


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


async def _roll_back(connection: Any) -> None:
    """The pool gets its connection back without an open transaction, or as a lost one."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_ROLL_BACK_SECONDS):
            await connection.execute("ROLLBACK")


class Together:
    """One statement that many tasks run at the same time, each with arguments of its own: one round trip and one commit
    for those that meet, and for each its own row, or None.

    They run one after the other in one transaction, so each sees what those before it wrote, as it would after their
    commits. The statement gives one row at most, and its `column` says whose: the argument at `key`.
    """

    def __init__(self, database: databases.Database, query: str, *, key: int = 0, column: str = "order_no") -> None:
        self._database = database
        self._query = query
        self._key = key
        self._column = column
        self._gathered: Gathered[Sequence[Any], Any] = Gathered("statements", self._run)

    async def __call__(self, *arguments: Any, place: str = "") -> Any:
        """`place`: of what the statement locks first, where that is not the key. Raises as `fetch_row` does."""
        key = arguments[self._key]
        return await self._gathered(arguments, key=key, place=place or str(key))

    async def alone(self, *arguments: Any, place: str = "") -> Any:
        """In a transaction of its own."""
        return await fetch_row(self._database, self._query, *arguments)

    async def _run(self, several: list[Sequence[Any]]) -> list[Any]:
        if len(several) == 1:
            return [await fetch_row(self._database, self._query, *several[0])]
        committing = False
        try:
            async with raw(self._database, writes=_writes(self._query)) as connection:
                try:
                    await connection.execute(_BEGIN_TOGETHER)
                    rows = await connection.fetchmany(self._query, several)
                    committing = True
                    await connection.execute("COMMIT")
                except BaseException:
                    await _roll_back(connection)
                    raise
        except StoreUnavailable as error:
            if isinstance(error.__cause__, asyncpg.LockNotAvailableError):
                # Nothing was carried out: one of them waits for somebody, and each alone shows which.
                raise error.__cause__ from None
            if isinstance(error, OutcomeUnknown) and not committing:
                # Nobody had asked for the commit: what was lost was not carried out.
                raise StoreUnavailable(retry_after=error.retry_after) from error.__cause__
            raise
        found = {row[self._column]: row for row in rows}
        return [found.get(arguments[self._key]) for arguments in several]


class LookedUp:
    """One look for something that many tasks take at the same time, each with arguments of its own: one statement for
    those that meet, and for each its own row, or None. What a caller is told was so after it asked.

    The statement takes an array of each argument; a row's `n` says for which of them it is, counted from 1.
    """

    def __init__(self, database: databases.Database, query: str) -> None:
        self._database = database
        self._query = query
        self._gathered: Gathered[Sequence[Any], Any] = Gathered("looks", self._run, most=64)

    async def __call__(self, *arguments: Any) -> Any:
        """Raises StoreUnavailable."""
        return await self._gathered(arguments, key=object())

    async def _run(self, several: list[Sequence[Any]]) -> list[Any]:
        async with raw(self._database) as connection:
            rows = await connection.fetch(self._query, *map(list, zip(*several, strict=True)))
        found = {row["n"]: row for row in rows}
        return [found.get(n) for n in range(1, len(several) + 1)]
