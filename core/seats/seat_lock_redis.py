"""The seat lock across processes (S1, S2): wait a little, lease a little, release early, only one's own."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import Counter, Histogram

from core import keys
from core.errors import StoreUnavailable
from core.lua_redis import Script, ScriptRunner

_LUA = Path(__file__).parent / "lua"
_ACQUIRE = Script(_LUA / "lock_acquire.lua")
_RELEASE = Script(_LUA / "lock_release.lua")

# Between two tries: short against a critical section of a few milliseconds, jittered so that waiters spread out.
_PAUSE_SECONDS = (0.002, 0.010)

ACQUISITIONS = Counter("onsale_seat_lock_acquisitions", "Seat lock acquisitions by result", ["result"])
WAIT = Histogram("onsale_seat_lock_wait_seconds", "Time waited for a seat lock")
HELD = Histogram("onsale_seat_lock_held_seconds", "Time a seat lock was held")


class LockBusy(Exception):
    """The lock could not be had within the wait."""


@dataclass(frozen=True, slots=True)
class Lock:
    token: str
    names: tuple[str, ...]


class SeatLocks:
    """Locks of one or several seats of an event, all or none, so that two askers can never wait for each other.

    `wait` and `lease` are in seconds. The lease frees a lock whose owner died; the owner token keeps a late owner
    from releasing somebody else's. A lease can end while its owner still works, so a lock alone protects nothing that
    lasts: the fence does (https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/).
    """

    def __init__(self, run: ScriptRunner, *, wait: float, lease: float) -> None:
        self._run = run
        self.wait = wait
        self.lease = lease

    @contextlib.asynccontextmanager
    async def hold(self, slug: str, ordinals: Sequence[int]) -> AsyncIterator[Lock]:
        """Raises LockBusy after `wait`, StoreUnavailable when Redis is away."""
        lock = await self.acquire(slug, ordinals)
        began = time.monotonic()
        try:
            yield lock
        finally:
            HELD.observe(time.monotonic() - began)
            await self.release(lock)

    async def acquire(self, slug: str, ordinals: Sequence[int]) -> Lock:
        names = tuple(keys.seat_lock(slug, ordinal) for ordinal in sorted(set(ordinals)))
        lock = Lock(secrets.token_hex(16), names)
        began = time.monotonic()
        while not await self._run(_ACQUIRE, names, [lock.token, int(self.lease * 1000)]):
            if time.monotonic() - began >= self.wait:
                ACQUISITIONS.labels("busy").inc()
                raise LockBusy
            await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))
        WAIT.observe(time.monotonic() - began)
        ACQUISITIONS.labels("taken").inc()
        return lock

    async def release(self, lock: Lock) -> bool:
        """False when the lease had ended before."""
        with contextlib.suppress(StoreUnavailable):  # the lease frees it
            return bool(await self._run(_RELEASE, lock.names, [lock.token]) == len(lock.names))
        return False
