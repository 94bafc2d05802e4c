"""Working under a lease that is a claim's: writes that outlast a PostgreSQL that is away, and the renewing beside
them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeVar

from core.booking.stored import ClaimLost
from core.errors import StoreUnavailable
from core.process.backoff import Backoff
from core.process.leases import kept

T = TypeVar("T")

#: A run that takes longer than this many leases hangs, and its claim is let go: the requests to a provider (13 s each),
#: and PostgreSQL away for a lease at each of the steps around them, take less.
_LONGEST_RUN_LEASES: Final = 6
_PAUSES: Final = Backoff(first=0.1, longest=2.0)


async def persist(write: Callable[[], Awaitable[T]], lease: float) -> T:
    """Repeats a write while PostgreSQL is away, for `lease` seconds: afterwards another process may be at it."""
    loop = asyncio.get_running_loop()
    until, failures = loop.time() + lease, 0
    while True:
        try:
            return await write()
        except StoreUnavailable:
            left = until - loop.time()
            if left <= 0:
                raise
            failures += 1
            await asyncio.sleep(min(_PAUSES.seconds(failures), left))


def renewing(name: str, renew: Callable[[], Awaitable[None]], lease: float) -> AbstractAsyncContextManager[None]:
    """`async with`: the claim's lease is renewed while the block runs, and let go when the block hangs."""

    async def once() -> bool:
        try:
            await renew()
        except ClaimLost:
            return False
        return True

    return kept(name, once, lease_seconds=lease, limit_seconds=_LONGEST_RUN_LEASES * lease)
