"""Working under a lease that is a claim's: writes that outlast a PostgreSQL that is away, and the renewing beside
them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from core.booking.reservations_postgres import ClaimLost
from core.errors import StoreUnavailable

T = TypeVar("T")


async def persist(write: Callable[[], Awaitable[T]], lease: float) -> T:
    """Repeats a write while PostgreSQL is away, for `lease` seconds: afterwards another process may be at it."""
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + lease, 0.1
    while True:
        try:
            return await write()
        except StoreUnavailable:
            left = until - loop.time()
            if left <= 0:
                raise
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, 2.0)


@contextlib.asynccontextmanager
async def renewing(renew: Callable[[], Awaitable[None]], lease: float) -> AsyncIterator[None]:
    """The lease is renewed every third of it while the block runs."""
    keeper = asyncio.create_task(_keep(renew, lease), name="lease")
    try:
        yield
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper


async def _keep(renew: Callable[[], Awaitable[None]], lease: float) -> None:
    while True:
        await asyncio.sleep(lease / 3)
        try:
            await renew()
        except StoreUnavailable:
            continue  # nobody else can claim it meanwhile either
        except ClaimLost:
            return
