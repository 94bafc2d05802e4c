"""The seat lock across processes (S1, S2): wait a little, lease a little, release early, only one's own."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Gauge, Histogram

from core import keys
from core.errors import StoreUnavailable
from core.process.lua_redis import Script, ScriptRunner
from core.process.source_files import SourceFiles
from core.seats.lock_times import LONGEST_WAIT_SECONDS, AdaptiveWait, LockAdvice, LockMeasurements, WaitRules

log = structlog.get_logger(__name__)

_LUA = SourceFiles(__file__, "lua")
_ACQUIRE = Script(_LUA, "lock_acquire")
_RELEASE = Script(_LUA, "lock_release")

# Between two tries: short against a critical section of a few milliseconds, jittered so that waiters spread out.
_PAUSE_SECONDS = (0.002, 0.010)

ACQUISITIONS = Counter("onsale_seat_lock_acquisitions", "Seat lock acquisitions by result", ["result"])
WAIT = Histogram("onsale_seat_lock_wait_seconds", "Time waited for a seat lock")
HELD = Histogram("onsale_seat_lock_held_seconds", "Time a seat lock was held")
WAIT_NOW = Gauge(
    "onsale_seat_lock_wait_limit_seconds", "How long a seat lock is waited for now", multiprocess_mode="max"
)


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
        """`wait` is the first of three steps, each half of it longer than the one before (S6)."""
        steps = tuple(min(wait * factor, LONGEST_WAIT_SECONDS) for factor in (1.0, 1.5, 2.0))
        self._run = run
        self._waits = AdaptiveWait(WaitRules(steps=steps), time.monotonic())
        self._measured = LockMeasurements()
        self.lease = lease

    @property
    def wait(self) -> float:
        """How long a lock is waited for now, in seconds."""
        self._waits.tick(time.monotonic())
        return self._waits.seconds

    def failed_share(self) -> float:
        """Of the acquisitions in the last half minute."""
        return self._waits.share(time.monotonic())

    def advice(self) -> LockAdvice | None:
        """Recommended times from what this process measured (S5); None before there is enough."""
        return self._measured.advice()

    @contextlib.asynccontextmanager
    async def hold(self, slug: str, ordinals: Sequence[int]) -> AsyncIterator[Lock]:
        """Raises LockBusy after `wait`, StoreUnavailable when Redis is away."""
        lock = await self.acquire(slug, ordinals)
        began = time.monotonic()
        try:
            yield lock
        finally:
            held = time.monotonic() - began
            HELD.observe(held)
            self._measured.critical_section(held)
            await self.release(lock)

    async def acquire(self, slug: str, ordinals: Sequence[int]) -> Lock:
        names = tuple(keys.seat_lock(slug, ordinal) for ordinal in sorted(set(ordinals)))
        lock = Lock(secrets.token_hex(16), names)
        began, wait = time.monotonic(), self.wait
        while not await self._ask(lock):
            if time.monotonic() - began >= wait:
                ACQUISITIONS.labels("busy").inc()
                self._note(acquired=False)
                raise LockBusy
            await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))
        WAIT.observe(time.monotonic() - began)
        ACQUISITIONS.labels("taken").inc()
        self._note(acquired=True)
        return lock

    async def _ask(self, lock: Lock) -> bool:
        began = time.monotonic()
        taken = await self._run(_ACQUIRE, lock.names, [lock.token, int(self.lease * 1000)])
        self._measured.round_trip(time.monotonic() - began)
        return bool(taken)

    def _note(self, *, acquired: bool) -> None:
        if self._waits.record(acquired, time.monotonic()):
            log.info("seat lock wait changed", seconds=self._waits.seconds)
        WAIT_NOW.set(self._waits.seconds)

    async def release(self, lock: Lock) -> bool:
        """False when the lease had ended before."""
        with contextlib.suppress(StoreUnavailable):  # the lease frees it
            return bool(await self._run(_RELEASE, lock.names, [lock.token]) == len(lock.names))
        return False
