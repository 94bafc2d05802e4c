"""Connections to the tests' own PostgreSQL that are kept from one test to the next.

Each test opens its stores anew, as a process does when it starts. For PostgreSQL that is two new processes, which read
its catalogues and plan each statement for the first time: three quarters of what a small test costs. So a pool that a
test closes is the one that the next test opens with the same settings. One that a test has used up, broken or not given
back is closed as it always was, and so is one of any other address: of a proxy, of a database of a test's own.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from unittest import mock

import asyncpg
import asyncpg.pool
from sqlalchemy.engine import make_url

from core.database import LOST

#: A pool that a crowd has used is not kept: PostgreSQL has so many connections for all.
_MOST_CONNECTIONS = 8
#: Of the same settings: tests with several processes open as many.
_MOST_POOLS = 3
#: One that answers later is not kept, in seconds.
_PATIENCE = 10


class _Pool(asyncpg.Pool):
    """`close` gives it back where it can be used again."""

    #: Where it goes back to; None: nowhere.
    free: dict[str, list[_Pool]] | None = None
    settings: str

    async def close(self) -> None:
        if self.free is None:
            await super().close()
            return
        free = self.free[self.settings]
        connections = self.get_size()
        unused = not self.is_closing() and connections == self.get_idle_size() and not self._acquiring()
        if unused and 0 < connections <= _MOST_CONNECTIONS and len(free) < _MOST_POOLS:
            free.append(self)
        else:
            await super().close()

    def _acquiring(self) -> bool:
        """Somebody is about to get a connection, who would be waited for without an end."""
        return bool(self._queue.qsize() < self.get_max_size())  # type: ignore[attr-defined]

    async def works(self) -> bool:
        """Whether all its connections answer; a test may have ended them on the other side."""
        used: list[Any] = []
        try:
            async with asyncio.timeout(_PATIENCE):
                for _ in range(self.get_size()):
                    used.append(await self.acquire())
                await asyncio.gather(*(connection.fetchval("SELECT 1") for connection in used))
        except (*LOST, asyncpg.PostgresError):
            self.terminate()
            return False
        except asyncio.CancelledError:
            self.terminate()
            raise
        for connection in used:
            await self.release(connection)
        return True


@asynccontextmanager
async def kept_pools(url: str) -> AsyncIterator[None]:
    """Meanwhile pools of the database at this URL are kept; those of this event loop only."""
    loop = asyncio.get_running_loop()
    address = make_url(url)
    ours = (address.query.get("host"), address.database)
    free: dict[str, list[_Pool]] = defaultdict(list)
    create = asyncpg.create_pool

    def create_pool(**settings: Any) -> Any:
        return opened(settings)

    async def opened(settings: dict[str, Any]) -> Any:
        if (settings.get("host"), settings.get("database")) != ours or asyncio.get_running_loop() is not loop:
            return await create(**settings)
        named = repr(sorted(settings.items()))
        while free[named]:
            if await (pool := free[named].pop()).works():
                return pool
        with mock.patch.object(asyncpg.pool, "Pool", _Pool):
            made: Any = create(**settings)
        made.free, made.settings = free, named
        return await made

    with mock.patch.object(asyncpg, "create_pool", create_pool):
        yield
    for pools in free.values():
        for pool in pools:
            with suppress(*LOST):
                await asyncpg.Pool.close(pool)
