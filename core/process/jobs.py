"""Periodic jobs: one list, one loop for each, the same rules for all.

A leased job keeps its lease for as long as a run takes, so that no other process begins a second run beside it.
A job that fails is logged, counted and tried again after a growing pause; one that hangs is cancelled at its time
limit; each round begins with a jitter, so that processes that were started together do not march in step.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram

from core.errors import StoreUnavailable
from core.process.lease_redis import Leases
from core.process.leases import kept
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

# A failing job's pause doubles up to this many of its periods.
_SLOWEST = 16
_LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """`every` and `limit` in seconds; with `lease` one process of the installation runs it at a time."""

    name: str
    every: float
    run: Callable[[], Coroutine[Any, Any, object]]
    lease: bool = True
    limit: float = 30.0


def _lease_seconds(job: Job) -> float:
    """Longer than a period: a round may be late, but a dead process is replaced in the next one."""
    return max(1.5 * job.every, 3.0)


class Jobs:
    """Runs a list of jobs under the supervisor until `stop`."""

    def __init__(self, *, supervisor: Supervisor, leases: Leases) -> None:
        self._supervisor = supervisor
        self._leases = leases
        self._loops: list[tuple[Job, Service]] = []

    def start(self, *jobs: Job) -> None:
        for job in jobs:
            self._loops.append((job, self._supervisor.run_forever(f"job:{job.name}", partial(self._loop, job))))

    async def stop(self) -> None:
        """Ends the loops and gives their leases back."""
        await asyncio.gather(*(loop.end() for _, loop in self._loops))
        for job, _ in self._loops:
            if job.lease:
                await self._leases.give(job.name)
        self._loops.clear()

    async def _loop(self, job: Job) -> None:
        failures = 0
        # Asked each time: a library may swallow a cancel that comes with its answer, and the end would wait for ever.
        while not cancelled():
            pause = min(job.every * min(2**failures, _SLOWEST), max(job.every, _LONGEST_PAUSE_SECONDS))
            await asyncio.sleep(pause * random.uniform(0.9, 1.1))
            if job.lease and not await self._leases.take(job.name, _lease_seconds(job)):
                continue
            async with self._kept(job):
                failures = 0 if await self._once(job) else failures + 1

    def _kept(self, job: Job) -> AbstractAsyncContextManager[None]:
        if not job.lease:
            return contextlib.nullcontext()
        seconds = _lease_seconds(job)
        renew = partial(self._leases.take, job.name, seconds)
        return kept(job.name, renew, lease_seconds=seconds, limit_seconds=job.limit + END_SECONDS)

    async def _once(self, job: Job) -> bool:
        began = time.monotonic()
        result = await self._result(job)
        # Runs that failed count as well: one that hangs until its limit is the longest of all.
        DURATION.labels(job.name).observe(time.monotonic() - began)
        RUNS.labels(job.name, result).inc()
        LAST_RUN.labels(job.name).set_to_current_time()
        if result == "ok":
            LAST_SUCCESS.labels(job.name).set_to_current_time()
        return result == "ok"

    async def _result(self, job: Job) -> str:
        try:
            await within(job.limit, f"run:{job.name}", job.run())
        except StoreUnavailable as error:
            log.warning("job postponed", job=job.name, cause=repr(error.__cause__))
            return "store_unavailable"
        except Exception:
            log.exception("job failed", job=job.name)
            return "failed"
        return "ok"
