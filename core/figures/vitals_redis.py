"""What each process measures of itself, shared through Redis: any of them can then show all of them."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import orjson
import structlog
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from core import keys
from core.clock import Clock
from core.errors import StoreUnavailable
from core.figures.windows import Window
from core.process.calls import redis_call
from core.seats.seat_lock_redis import SeatLocks

log = structlog.get_logger(__name__)

EVERY_SECONDS = 5.0
# Vitals older than this are not shown any more.
_FRESH_SECONDS = 20.0
# A process that has told nothing for this long, and has not said that it ends, hangs or was killed (R2); after so many
# seconds it is forgotten.
SILENT_SECONDS = 30.0
_FORGOTTEN_SECONDS = 600.0
_WINDOW_SECONDS = 60.0
_TTL_SECONDS = 3600

# Of rooms that `core` does not import; a process without them (a worker) has no such figures.
_FANOUT = "onsale_fanout_seconds_bucket"
_CHANNELS = "onsale_channels"
_JOBS = "onsale_job_last_success_timestamp_seconds"


@dataclass(frozen=True, slots=True)
class LockFigures:
    """S5, S6 as one process sees them; recommended times in seconds, None before there is enough to judge from."""

    wait_seconds: float
    lease_seconds: float
    failed_share: float
    advised_wait_seconds: float | None
    advised_lease_seconds: float | None
    critical_section_seconds: float | None


@dataclass(frozen=True, slots=True)
class Vitals:
    """`at` is wall time in seconds. `fanout_p95_ms` is of `broadcasts` in the last minute; `jobs`: when each periodic
    job last succeeded here (wall time, seconds). `key`: fingerprint of the key that it signs with. `limited`: who was
    refused for calling too often in the last minute, and how often; the most of them. `ahead`: seconds by which the
    machine's own clock is ahead of Redis'; below 0: behind. `crowded`: store -> calls refused in the last minute
    because too many stood in line for it. `worker`: it serves no buyers.
    """

    process: str
    host: str
    pid: int
    at: float
    channels: int
    broadcasts: int
    fanout_p95_ms: float | None
    locks: LockFigures
    jobs: dict[str, float]
    key: str = ""
    limited: dict[str, int] = field(default_factory=dict)
    ahead: float = 0.0
    crowded: dict[str, int] = field(default_factory=dict)
    worker: bool = False


class VitalsBoard:
    """Raises StoreUnavailable."""

    def __init__(
        self,
        *,
        redis: Redis,
        clock: Clock,
        process: str,
        locks: SeatLocks,
        key: str = "",
        worker: bool = False,
        relieved: Callable[[bool], None] = lambda by_worker: None,
    ) -> None:
        """`key`: the fingerprint of this process's signing key. `relieved` is told again and again whether a worker is
        there, which does what can be done without serving buyers.
        """
        self._redis = redis
        self._clock = clock
        self._process = process
        self._locks = locks
        self._key = key
        self._worker = worker
        self._relieved = relieved
        #: Set by who follows Redis' clock in this process: seconds by which the machine's own is ahead.
        self.ahead: Callable[[], float] = float
        #: Set by who limits callers in this process.
        self.limited: Callable[[], Mapping[str, int]] = dict
        #: Set by who calls the stores in this process.
        self.crowded: Callable[[], Mapping[str, int]] = dict
        self._told = False
        self._fanout = Window(_WINDOW_SECONDS, 0.95)

    def read(self) -> Vitals:
        """This process's own."""
        buckets: dict[float, float] = {}
        channels, jobs = 0.0, {}
        # In a process of several these are this process's own figures: only the served ones are added up.
        for family in REGISTRY.restricted_registry([_FANOUT, _CHANNELS, _JOBS]).collect():
            for sample in family.samples:
                if sample.name == _FANOUT:
                    buckets[float(sample.labels["le"])] = sample.value
                elif sample.name == _CHANNELS:
                    channels += sample.value
                elif sample.value:
                    jobs[sample.labels["job"]] = sample.value
        fanout = self._fanout.look(buckets, self._clock.monotonic())
        return Vitals(
            process=self._process,
            host=socket.gethostname(),
            pid=os.getpid(),
            at=self._clock.now().timestamp(),
            channels=round(channels),
            broadcasts=fanout.count,
            fanout_p95_ms=None if fanout.quantile is None else round(fanout.quantile * 1000, 2),
            locks=self._lock_figures(),
            jobs=jobs,
            key=self._key,
            limited=dict(self.limited()),
            ahead=round(self.ahead(), 3),
            crowded={store: count for store, count in self.crowded().items() if count},
            worker=self._worker,
        )

    async def run(self) -> None:
        """Tells, and looks whether a worker does."""
        try:
            await self.publish()
            others = await self.all()
        except StoreUnavailable:
            self._relieved(False)
            raise
        self._relieved(not self._worker and any(one.worker and not _is_gone(one) for one in others))

    async def publish(self) -> None:
        body = orjson.dumps(asdict(self.read()))
        with redis_call:
            if not self._told:
                await self._bury()
                self._told = True
            await self._redis.hset(keys.VITALS, self._process, body)
            await self._redis.expire(keys.VITALS, _TTL_SECONDS)

    async def withdraw(self) -> None:
        """This process ends in order: its silence is meant."""
        with redis_call:
            await self._redis.hdel(keys.VITALS, self._process)

    async def all(self) -> Sequence[Vitals]:
        """The latest of each process that lives, by name."""
        oldest = self._clock.now().timestamp() - _FRESH_SECONDS
        return [vitals for vitals in await self._known() if vitals.at >= oldest]

    async def silent(self) -> Sequence[Vitals]:
        """What each process told last that has been silent since, for `SILENT_SECONDS`, without saying that it ends.

        On its own machine a process is looked for as well: one that is gone is not silent.
        """
        newest = self._clock.now().timestamp() - SILENT_SECONDS
        return [vitals for vitals in await self._known() if vitals.at < newest and not _is_gone(vitals)]

    async def _known(self) -> list[Vitals]:
        """By name; those silent for very long are removed."""
        oldest = self._clock.now().timestamp() - _FORGOTTEN_SECONDS
        with redis_call:
            found = [_parse(body) for body in (await self._redis.hvals(keys.VITALS))]
            known = [vitals for vitals in found if vitals is not None]
            stale = [vitals.process for vitals in known if vitals.at < oldest]
            if stale:
                await self._redis.hdel(keys.VITALS, *stale)
        return sorted((vitals for vitals in known if vitals.at >= oldest), key=lambda vitals: vitals.process)

    async def _bury(self) -> None:
        """Whoever is started in the place of a process that was killed takes away what that one told."""
        gone = [vitals.process for vitals in await self._known() if _is_gone(vitals)]
        if gone:
            await self._redis.hdel(keys.VITALS, *gone)

    def _lock_figures(self) -> LockFigures:
        advice = self._locks.advice()
        return LockFigures(
            wait_seconds=self._locks.wait,
            lease_seconds=self._locks.lease,
            failed_share=round(self._locks.failed_share(), 4),
            advised_wait_seconds=round(advice.wait_seconds, 3) if advice else None,
            advised_lease_seconds=round(advice.lease_seconds, 3) if advice else None,
            critical_section_seconds=round(advice.critical_section_seconds, 5) if advice else None,
        )


def _parse(body: bytes | str) -> Vitals | None:
    """What a newer version tells besides is not read here. None for what an older one did not tell yet."""
    try:
        values = orjson.loads(body)
        return Vitals(**_known_of(Vitals, {**values, "locks": LockFigures(**_known_of(LockFigures, values["locks"]))}))
    except (TypeError, KeyError, ValueError):
        return None


def _known_of(kind: type[Vitals] | type[LockFigures], values: Mapping[str, Any]) -> dict[str, Any]:
    names = {known.name for known in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _is_gone(vitals: Vitals) -> bool:
    """Whether it ran on this machine (in a container: in this one) and runs no more. Elsewhere nobody can tell."""
    if vitals.host != socket.gethostname():
        return False
    try:
        os.kill(vitals.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def worst_fanout(vitals: Sequence[Vitals]) -> float | None:
    """The slowest process's 95th percentile, in milliseconds."""
    return max((v.fanout_p95_ms for v in vitals if v.fanout_p95_ms is not None), default=None)


def last_successes(vitals: Sequence[Vitals]) -> dict[str, float]:
    """Job -> when any process last did it (wall time, seconds)."""
    latest: dict[str, float] = {}
    for one in vitals:
        for job, at in one.jobs.items():
            latest[job] = max(at, latest.get(job, -math.inf))
    return latest
