"""Periodic jobs: one list, one loop for each, the same rules for all.

A leased job keeps its lease for as long as a run takes, so that no other process begins a second run beside it.
A job that fails is logged, counted and tried again after a growing pause; one that hangs is cancelled at its time
limit, and left behind when it goes on in spite of that; each round begins with a jitter, so that processes that were
started together do not march in step. What succeeded is noted for all processes (successes_redis.py), and a loop
without success is made anew (job_watch.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import structlog
from prometheus_client import Counter, Gauge, Histogram

from core.errors import StoreUnavailable
from core.process.backoff import Backoff
from core.process.job_health import late_after
from core.process.lease_redis import Leases
from core.process.leases import kept
from core.process.successes_redis import Successes
from core.process.supervisor import Service, Supervisor
from core.process.tasks import END_SECONDS, cancelled, within

log = structlog.get_logger(__name__)

RUNS = Counter("onsale_job_runs", "Runs of periodic jobs by result", ["job", "result"])
DURATION = Histogram("onsale_job_duration_seconds", "How long a run of a periodic job takes", ["job"])
LAST_RUN = Gauge(
    "onsale_job_last_run_timestamp_seconds",
    "When a run of a periodic job last ended, however",
    ["job"],
    multiprocess_mode="max",
)
LAST_SUCCESS = Gauge(
    "onsale_job_last_success_timestamp_seconds", "When a periodic job last succeeded", ["job"], multiprocess_mode="max"
)

Result = Literal["ok", "store_unavailable", "failed"]

# A failing job's pause doubles up to this many of its periods, or seconds.
_SLOWEST: Final = 16
_LONGEST_PAUSE_SECONDS: Final = 60.0
# While a store is away its job asks again this soon: buyers wait for the sweep when it is back.
_AWAY_PAUSE_SECONDS: Final = 4.0
# A success is noted for the other processes this many times in the span after which the job is late.
_NOTES: Final = 5


@dataclass(frozen=True, slots=True)
class Job:
    """`every` and `limit` in seconds; with `lease` one process of the installation runs it at a time.

    `needs`: the stores without which it cannot succeed. `vital`: without it nobody can buy, and health is DOWN.
    """

    name: str
    every: float
    run: Callable[[], Coroutine[Any, Any, object]]
    lease: bool = True
    limit: float = 30.0
    needs: frozenset[str] = frozenset({"redis", "database"})
    vital: bool = False

    @property
    def late_after(self) -> float:
        """Seconds without success after which something is wrong with it."""
        return late_after(self.every, self.limit)

    @property
    def lease_seconds(self) -> float:
        """Longer than a period: a round may be late, but a dead process is replaced in the next one."""
        return max(1.5 * self.every, 3.0)


class JobLoop:
    """One job in this process. Times are monotonic seconds."""

    def __init__(self, job: Job, leases: Leases, successes: Successes | None) -> None:
        self.job = job
        self.turned = time.monotonic()
        """When it last showed a sign of life: began or ended a round; in a pause, when that ends."""
        self.succeeded: float | None = None
        self.result: Result = "ok"
        self.restarted: float | None = None
        self.restarts = 0
        """Since the last success, by the watch."""
        self._leases = leases
        self._successes = successes
        self._noted: float | None = None
        self._pauses = Backoff(job.every, max(job.every, min(_SLOWEST * job.every, _LONGEST_PAUSE_SECONDS)), jitter=0.1)
        self._pauses_away = Backoff(job.every, max(job.every, _AWAY_PAUSE_SECONDS), jitter=0.1)

    async def run(self) -> None:
        """The job runs again and again until this is cancelled."""
        failures = 0
        # Asked each time: a library may swallow a cancel that comes with its answer, and the end would wait for ever.
        while not cancelled():
            pauses = self._pauses_away if self.result == "store_unavailable" else self._pauses
            pause = pauses.seconds(failures + 1)
            self.turned = time.monotonic() + pause
            await asyncio.sleep(pause)
            self.turned = time.monotonic()
            try:
                if self.job.lease and not await self._leases.take(self.job.name, self.job.lease_seconds):
                    continue
                async with self._kept():
                    failures = 0 if await self._once() == "ok" else failures + 1
            except Exception:
                # What goes wrong around a run is no worse than what goes wrong in it.
                log.exception("job failed around its run", job=self.job.name)
                failures += 1

    def _kept(self) -> AbstractAsyncContextManager[None]:
        job = self.job
        if not job.lease:
            return contextlib.nullcontext()
        renew = partial(self._leases.take, job.name, job.lease_seconds)
        return kept(job.name, renew, lease_seconds=job.lease_seconds, limit_seconds=job.limit + END_SECONDS)

    async def _once(self) -> Result:
        name, began = self.job.name, time.monotonic()
        result = await self._result()
        ended = time.monotonic()
        # Runs that failed count as well: one that hangs until its limit is the longest of all.
        DURATION.labels(name).observe(ended - began)
        RUNS.labels(name, result).inc()
        LAST_RUN.labels(name).set_to_current_time()
        self.result = result
        if result == "ok":
            LAST_SUCCESS.labels(name).set_to_current_time()
            self.succeeded, self.restarts, self.restarted = ended, 0, None
            await self._note(ended)
        return result

    async def _note(self, now: float) -> None:
        if self._successes is None:
            return
        if self._noted is not None and now - self._noted < self.job.late_after / _NOTES:
            return
        # With Redis away nobody could read it either, and nobody calls the job late.
        with contextlib.suppress(StoreUnavailable):
            await self._successes.note(self.job.name, self.job.late_after)
            self._noted = now

    async def _result(self) -> Result:
        try:
            await within(self.job.limit, f"run:{self.job.name}", self.job.run())
        except StoreUnavailable as error:
            # Told once: the job comes back every few seconds until the store does.
            if self.result != "store_unavailable":
                log.warning("job postponed", job=self.job.name, cause=repr(error.__cause__))
            return "store_unavailable"
        except Exception:
            log.exception("job failed", job=self.job.name)
            return "failed"
        return "ok"


class Jobs:
    """Runs a list of jobs under the supervisor until `stop`."""

    def __init__(self, *, supervisor: Supervisor, leases: Leases, successes: Successes | None = None) -> None:
        self._supervisor = supervisor
        self._leases = leases
        self._successes = successes
        self._running: list[tuple[JobLoop, Service]] = []

    @property
    def loops(self) -> list[tuple[JobLoop, Service]]:
        return list(self._running)

    def start(self, *jobs: Job) -> None:
        for job in jobs:
            loop = JobLoop(job, self._leases, self._successes)
            self._running.append((loop, self._supervisor.run_forever(f"job:{job.name}", loop.run)))

    async def stop(self) -> None:
        """Ends the loops and gives their leases back."""
        await asyncio.gather(*(service.end() for _, service in self._running))
        leased = [loop.job.name for loop, _ in self._running if loop.job.lease]
        await asyncio.gather(*(self._leases.give(name) for name in leased))
        self._running.clear()
