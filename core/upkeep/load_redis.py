"""What each process reads of its load, shared through Redis, so that one of them can judge for all."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import databases
import orjson
import psutil
from prometheus_client import Gauge
from redis.asyncio import Redis

from core import keys
from core.clock import Clock
from core.database import pool_of
from core.errors import PaymentUnavailable
from core.process.calls import redis_call
from core.waiting_room.limit import Load

POOL_IN_USE = Gauge(
    "onsale_database_pool_in_use", "PostgreSQL connections in use when last looked at", multiprocess_mode="livesum"
)
POOL_SIZE = Gauge("onsale_database_pool_size", "PostgreSQL connections, at most", multiprocess_mode="livesum")

# A reading older than this is of a process that is gone.
_FRESH_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One process's look at its machine. `at` is wall time in seconds; `pool_size` in connections."""

    process: str
    host: str
    cores: int
    at: float
    cpu: float
    memory: float
    pool: float
    pool_size: int
    payment_away: bool
    payment_seconds: float | None = None


class LoadReadings:
    """Raises StoreUnavailable."""

    def __init__(
        self,
        *,
        redis: Redis,
        database: databases.Database,
        clock: Clock,
        process: str,
        pool_size: int,
        require_payment: Callable[[], None],
        payment_seconds: Callable[[], float | None],
    ) -> None:
        self._redis = redis
        self._database = database
        self._clock = clock
        self._process = process
        self._pool_size = pool_size
        self._require_payment = require_payment
        self._payment_seconds = payment_seconds
        # The first call of psutil only begins to measure.
        psutil.cpu_percent(None)

    def read(self) -> Reading:
        """This process's reading. CPU is the machine's average since the last call."""
        return Reading(
            process=self._process,
            host=socket.gethostname(),
            cores=os.cpu_count() or 1,
            at=self._clock.now().timestamp(),
            cpu=psutil.cpu_percent(None) / 100,
            memory=psutil.virtual_memory().percent / 100,
            pool=self._pool_use(),
            pool_size=self._pool_size,
            payment_away=self._payment_away(),
            payment_seconds=self._payment_seconds(),
        )

    async def publish(self) -> None:
        reading = self.read()
        body = orjson.dumps(reading)
        with redis_call:
            await self._redis.hset(keys.LOAD, self._process, body)
            await self._redis.expire(keys.LOAD, 3600)

    async def fresh(self) -> Sequence[Reading]:
        """The latest reading of each process that lives; those of dead ones are removed."""
        oldest = self._clock.now().timestamp() - _FRESH_SECONDS
        with redis_call:
            all_of_them = [Reading(**orjson.loads(body)) for body in (await self._redis.hvals(keys.LOAD))]
            stale = [reading.process for reading in all_of_them if reading.at < oldest]
            if stale:
                await self._redis.hdel(keys.LOAD, *stale)
        return [reading for reading in all_of_them if reading.at >= oldest]

    def _pool_use(self) -> float:
        pool = pool_of(self._database)
        if pool is None:
            return 0.0
        in_use = pool.get_size() - pool.get_idle_size()
        POOL_IN_USE.set(in_use)
        POOL_SIZE.set(self._pool_size)
        return float(in_use / self._pool_size)

    def _payment_away(self) -> bool:
        try:
            self._require_payment()
        except PaymentUnavailable:
            return True
        return False


def worst(readings: Sequence[Reading]) -> Load:
    """The busiest machine and the fullest pool count: admission must not drown any of them."""
    return Load(
        cpu=max(reading.cpu for reading in readings),
        memory=max(reading.memory for reading in readings),
        pool=max(reading.pool for reading in readings),
        payment_away=all(reading.payment_away for reading in readings),
        payment_seconds=max((r.payment_seconds for r in readings if r.payment_seconds is not None), default=None),
    )
