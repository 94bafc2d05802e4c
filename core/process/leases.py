"""The keeper of a lease: renews it while a piece of work runs, and never for work that hangs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog

from core.errors import StoreUnavailable
from core.process.tasks import cancelled, end
from core.process.watched_tasks import watched

log = structlog.get_logger(__name__)

#: A lease is renewed this often in its length, so that one lost renewal does not lose it.
_RENEWALS: Final = 3


@contextlib.asynccontextmanager
async def kept(
    name: str, renew: Callable[[], Awaitable[object]], *, lease_seconds: float, limit_seconds: float
) -> AsyncIterator[None]:
    """`async with kept(...)`: calls `renew` every third of the lease until the block is left.

    `renew` returns False when the lease is somebody else's by now: then it is not called again. While a store is away
    (StoreUnavailable) it is called on: nobody else can take the lease meanwhile either. Work that is older than
    `limit_seconds` hangs: its lease is let go, so that another process can do it. The keeper ends with the block,
    also when its cancel meets the answer of a renewal, which swallows it.
    """
    loop, every = asyncio.get_running_loop(), lease_seconds / _RENEWALS
    until = loop.time() + limit_seconds
    keeper: asyncio.Task[None] | None = None

    def begin() -> None:
        nonlocal keeper
        keeper = watched(f"lease {name}", _renewing(name, renew, every, until, limit_seconds))

    # Most work is done long before the first renewal: a task of its own, begun and ended, would cost it more than a
    # statement does.
    first = loop.call_later(every, begin)
    try:
        yield
    finally:
        first.cancel()
        await end(keeper)


async def _renewing(
    name: str, renew: Callable[[], Awaitable[object]], every: float, until: float, limit: float
) -> None:
    loop, pause = asyncio.get_running_loop(), 0.0
    while not cancelled():
        await asyncio.sleep(pause)
        pause = every
        if loop.time() > until:
            log.error("lease not renewed any more: its work hangs", lease=name, limit_seconds=limit)
            return
        try:
            if await renew() is False:
                return
        except StoreUnavailable:
            continue
        except Exception:
            # This renewal failed for reasons of its own: the next one may succeed, and the lease outlives two failures.
            log.exception("lease not renewed", lease=name)
