"""The watch over the jobs of one process: which are late, and what is done about it (R1).

Every few seconds it asks the stores whether they answer, and Redis when each job last succeeded anywhere. A job that
is late although its stores answer is told (`late`, for health and alerts), and its loop is made anew in the process
that holds the lease, or in each where nobody does. When that has not helped twice the process ends, and whoever
started it starts another one; one process of the installation at a time. Only a vital job, or one whose loop gives no
sign of life, is worth that: a job that fails by an exception would fail in the next process as well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import structlog
from prometheus_client import Gauge

from core.errors import OnsaleError
from core.process.job_health import Answering, LateJob
from core.process.jobs import JobLoop, Jobs
from core.process.lease_redis import Leases
from core.process.once import Once
from core.process.store_redis import REDIS_LOST
from core.process.successes_redis import LastSuccess, Successes
from core.process.supervisor import Service
from core.process.tasks import cancelled

log = structlog.get_logger(__name__)

LATE = Gauge(
    "onsale_job_late",
    "1 while a periodic job has not succeeded for too long although its stores answer",
    ["job"],
    multiprocess_mode="livemax",
)

#: How a store is asked whether it answers. Raises when it does not.
Ask = Callable[[], Coroutine[Any, Any, object]]

#: Where the successes are kept.
_REDIS: Final = "redis"
_LOOK_SECONDS: Final = 2.0
#: A store that has not answered after this long is silent.
_ANSWER_SECONDS: Final = 2.0
#: Loops are made anew so many times before the process ends.
_RESTARTS: Final = 2
#: Between the ends of two processes for the same job, at least.
_ENDING_SECONDS: Final = 300.0


class JobWatch:
    """`run` until cancelled; `late()` is what the last look found.

    `stores`: name (as in `Job.needs`) -> how it is asked; a job that needs another one is not judged.
    `end_process` is called at most once.
    """

    def __init__(
        self,
        *,
        jobs: Jobs,
        leases: Leases,
        successes: Successes,
        stores: Mapping[str, Ask],
        end_process: Callable[[], None],
    ) -> None:
        self._jobs = jobs
        self._leases = leases
        self._successes = successes
        self._stores = stores
        self._end_process = end_process
        self._probes = Once[Any]("probe")
        self._answering = Answering(time.monotonic())
        self._shared: dict[str, float] = {}
        self._late: tuple[LateJob, ...] = ()
        self.ending: str | None = None
        """The job for which this process ends."""

    def late(self) -> Sequence[LateJob]:
        return self._late

    async def run(self) -> None:
        while not cancelled():
            await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        await asyncio.gather(self._read(), *(self._ask(name, ask) for name, ask in self._stores.items()))
        now, late = time.monotonic(), []
        for loop, service in self._jobs.loops:
            job = loop.job
            # The newest success that is known, in whichever process it was.
            known = [at for at in (loop.succeeded, self._shared.get(job.name)) if at is not None]
            success = max(known, default=None)
            waited = self._answering.waited(success, job.needs | {_REDIS}, now)
            is_late = waited > job.late_after
            LATE.labels(job.name).set(is_late)
            if is_late:
                late.append(LateJob(job.name, now - success if success is not None else waited, job.vital))
            await self._attend(loop, service, is_late, now)
        self._late = tuple(late)

    async def _read(self) -> None:
        try:
            found: Mapping[str, LastSuccess] = await self._probes("jobs", self._successes.read, limit=_ANSWER_SECONDS)
        except (OnsaleError, TimeoutError):
            self._answering.silent(_REDIS)
            return
        now = time.monotonic()
        self._answering.answered(_REDIS, now)
        for job, last in found.items():
            # Never backwards: a Redis that was emptied says nothing about the jobs.
            self._shared[job] = max(now - last.seconds, self._shared.get(job, 0.0))

    async def _ask(self, name: str, ask: Ask) -> None:
        try:
            await self._probes(name, ask, limit=_ANSWER_SECONDS)
        except (OnsaleError, TimeoutError, *REDIS_LOST):
            self._answering.silent(name)
        else:
            self._answering.answered(name, time.monotonic())

    async def _attend(self, loop: JobLoop, service: Service, is_late: bool, now: float) -> None:
        """Makes a loop anew that is to blame, and ends the process where that has not helped."""
        job = loop.job
        hangs = now - loop.turned > job.late_after
        if job.lease:
            is_mine = is_late and await self._leases.owner(job.name) in (None, self._leases.me)
        else:
            # Others may well be doing theirs: this process is judged by its own successes.
            is_mine = self._answering.waited(loop.succeeded, job.needs, now) > job.late_after
        if not is_mine or (loop.result == "store_unavailable" and not hangs):
            return
        if loop.restarted is not None and now - loop.restarted <= job.late_after:
            return
        if loop.restarts >= _RESTARTS and (job.vital or hangs) and await self._may_end(job.name):
            self.ending = job.name
            log.critical("this process ends: a job does not succeed in it", job=job.name)
            self._end_process()
            return
        loop.restarts, loop.restarted = loop.restarts + 1, now
        log.error("job made anew: no success for too long", job=job.name, hangs=hangs, restarts=loop.restarts)
        service.restart()

    async def _may_end(self, job: str) -> bool:
        return self.ending is None and await self._leases.take(f"ending:{job}", _ENDING_SECONDS)
