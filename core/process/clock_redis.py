"""The one clock of an installation: Redis' (R3).

What opens, closes, ends and expires is judged by the scripts in Redis by its TIME, and by every process by this clock,
which follows it: one reading says how far this machine's steady clock is from Redis' TIME, taken at the midpoint of the
round trip (Cristian's algorithm). Between readings it runs by the steady clock, also while Redis is away. So a machine
whose own clock is wrong opens and closes nothing at the wrong time; `drift` says how wrong it is.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from redis.asyncio import Redis

from core import keys
from core.errors import StoreUnavailable
from core.process.calls import redis_call
from core.process.source_files import SourceFiles
from core.process.store_redis import redis_client

#: How often a process reads Redis' time.
EVERY_SECONDS: Final = 2.0
#: How fast two steady clocks move apart, at most: what a reading loses in worth with its age (seconds a second).
_WANDER: Final = 1e-4
_READINGS: Final = 3
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = SourceFiles(__file__, "lua")["time"]


class RedisClock:
    """`core.clock.Clock` by Redis' TIME. Before the first reading it is the machine's own."""

    def __init__(
        self,
        redis: Redis,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`monotonic` and `wall`: the machine's clocks, in seconds."""
        self._redis = redis
        self._monotonic = monotonic
        self._wall = wall
        self._offset = wall() - monotonic()
        #: How far the offset may be from the truth, in seconds, as of `_read_at`; infinite before the first reading.
        self._unsure = float("inf")
        self._read_at = monotonic()

    def now(self) -> datetime:
        return _EPOCH + timedelta(seconds=self._monotonic() + self._offset)

    def now_ms(self) -> int:
        """Redis' time now, in milliseconds since 1970: the earliest that it can be. 0 before the first reading."""
        if self._unsure == float("inf"):
            return 0
        now = self._monotonic()
        return int((now + self._offset - self._unsure - _WANDER * (now - self._read_at)) * 1000)

    def monotonic(self) -> float:
        return self._monotonic()

    def drift(self) -> float:
        """Seconds by which this machine's own clock is ahead of Redis'; below 0: behind."""
        return self._wall() - (self._monotonic() + self._offset)

    async def begin(self) -> None:
        """A few readings, of which the best counts: one alone may have met a busy moment. Raises StoreUnavailable."""
        for _ in range(_READINGS):
            await self.learn()

    async def learn(self) -> None:
        """One reading. Raises StoreUnavailable, and keeps what is known."""
        before = self._monotonic()
        with redis_call:
            seconds, micros = await self._redis.eval(_TIME, 1, keys.LOAD)
        after = self._monotonic()
        self.heard(int(seconds) + int(micros) / 1e6, before, after)

    def heard(self, at: float, before: float, after: float) -> None:
        """`at`: what Redis' clock showed (seconds since 1970) between two moments of the steady clock.

        A slow reading does not replace a better one, unless the two cannot both be true: then Redis' clock was set, or
        another server answers now.
        """
        offset, unsure = at - (before + after) / 2, (after - before) / 2
        known = self._unsure + _WANDER * (after - self._read_at)
        if unsure <= known or abs(offset - self._offset) > unsure + known:
            self._offset, self._unsure, self._read_at = offset, unsure, after


@contextlib.asynccontextmanager
async def clock_of(redis_url: str) -> AsyncIterator[RedisClock]:
    """The clock alone, for a command that needs nothing else of Redis; the machine's own where Redis is away."""
    redis = redis_client(redis_url, 1)
    clock = RedisClock(redis)
    try:
        with contextlib.suppress(StoreUnavailable):
            await clock.begin()
        yield clock
    finally:
        await redis.aclose()
