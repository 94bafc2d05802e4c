"""R1: no job can hang or fail unseen; health judges its last success, and what stops is made anew."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import pytest

from core import keys
from core.errors import StoreUnavailable
from core.process.job_health import LateJob
from core.process.job_watch import JobWatch
from core.process.jobs import Job, Jobs
from core.process.lease_redis import Leases
from core.process.successes_redis import Successes
from core.process.supervisor import Supervisor
from core.runtime import Runtime
from tests.waits import PATIENCE
from web import health_checks
from web.composition import health_checks as health_checks_of


@dataclass
class Process:
    """One process's jobs and its watch; the test makes it look."""

    runtime: Runtime
    name: str
    away: bool = False
    ended: int = 0
    supervisor: Supervisor = field(default_factory=Supervisor)

    def __post_init__(self) -> None:
        self.leases = Leases(self.runtime.redis, self.name)
        self.successes = Successes(self.runtime.redis)
        self.jobs = Jobs(supervisor=self.supervisor, leases=self.leases, successes=self.successes)
        self.watch = JobWatch(
            jobs=self.jobs,
            leases=self.leases,
            successes=self.successes,
            stores={"database": self.ask},
            end_process=self.end,
        )

    async def ask(self) -> None:
        if self.away:
            raise StoreUnavailable

    def end(self) -> None:
        self.ended += 1

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await self.watch.look()
                await asyncio.sleep(0.02)

    @property
    def restarts(self) -> int:
        return self.jobs.loops[0][1].restarts


@pytest.fixture
async def process(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[], Process]]:
    """A process of this test's own; its jobs are late after 0.3 s, and what ignores a cancel is left after 0.05.
    A lease outlives a machine that stands still.
    """
    monkeypatch.setattr("core.process.jobs.late_after", lambda every, limit: 0.3)
    monkeypatch.setattr(Job, "lease_seconds", PATIENCE)
    monkeypatch.setattr("core.process.tasks.END_SECONDS", 0.05)
    made: list[Process] = []

    def make() -> Process:
        made.append(Process(runtime, f"process-{len(made)}"))
        return made[-1]

    yield make
    for one in made:
        await one.jobs.stop()
        await one.supervisor.drain(0)


@pytest.fixture
def name() -> str:
    return f"test-{secrets.token_hex(4)}"


def unleased(job: Job) -> Job:
    """A loop that waits for nothing but its job: one that waited for a lease of a Redis that stood still would hang."""
    return replace(job, lease=False)


async def test_a_job_that_hangs_is_told_and_made_anew(process: Callable[[], Process], name: str) -> None:
    """It holds its lease, it swallows its cancels, its limit is far away: the lease says that all is well."""
    one, hung, well = process(), asyncio.Event(), asyncio.Event()

    async def run() -> None:
        while not hung.is_set():
            try:
                await well.wait()
                return
            except asyncio.CancelledError:
                hung.set()

    one.jobs.start(Job(name, every=0.02, run=run, limit=3600, vital=True))
    await one.until(lambda: bool(one.watch.late()))
    [late] = one.watch.late()
    assert (late.name, late.vital) == (name, True)
    assert late.seconds > 0.3
    assert await one.leases.owner(name) == one.name
    well.set()
    await one.until(lambda: not one.watch.late())
    assert one.restarts >= 1


async def test_only_what_was_made_anew_twice_in_vain_ends_its_process(
    process: Callable[[], Process], name: str
) -> None:
    """And one process of the installation only: the next one may be no better."""
    one, other = process(), process()

    async def fails() -> None:
        raise RuntimeError("a defect")

    for each in (one, other):
        each.jobs.start(Job(name, every=0.02, run=fails, lease=False, vital=True))
    await one.until(lambda: one.ended > 0)
    assert one.restarts == 2
    await other.until(lambda: other.restarts >= 3)
    await one.until(lambda: one.restarts >= 3)
    assert (one.ended, other.ended) == (1, 0)


async def test_a_job_that_is_not_vital_and_only_fails_ends_nothing(process: Callable[[], Process], name: str) -> None:
    one = process()

    async def fails() -> None:
        raise RuntimeError("a defect")

    one.jobs.start(unleased(Job(name, every=0.02, run=fails)))
    await one.until(lambda: one.restarts >= 4)
    assert one.ended == 0
    assert [(job.name, job.vital) for job in one.watch.late()] == [(name, False)]


async def test_a_store_that_is_away_restarts_nothing(process: Callable[[], Process], name: str) -> None:
    one = process()
    one.away = True
    runs = 0

    async def away() -> None:
        nonlocal runs
        runs += 1
        if one.away:
            raise StoreUnavailable

    one.jobs.start(unleased(Job(name, every=0.02, run=away)))
    await one.until(lambda: one.jobs.loops[0][0].result == "store_unavailable")
    loop = asyncio.get_running_loop()
    ends = loop.time() + 1.0
    await one.until(lambda: loop.time() > ends)
    assert one.watch.late() == ()
    assert one.restarts == 0
    one.away = False
    before = runs
    await one.until(lambda: runs > before)
    assert one.restarts == 0


async def test_a_store_that_answers_but_refuses_is_told_and_restarts_nothing(
    process: Callable[[], Process], name: str
) -> None:
    """A Redis that is read-only answers: nobody is let in, so health says so; no process is to blame."""
    one = process()

    async def refused() -> None:
        raise StoreUnavailable

    one.jobs.start(unleased(Job(name, every=0.02, run=refused, vital=True)))
    await one.until(lambda: bool(one.watch.late()))
    loop = asyncio.get_running_loop()
    ends = loop.time() + 0.7
    await one.until(lambda: loop.time() > ends)
    assert one.restarts == 0


async def test_a_success_in_any_process_counts_for_all(process: Callable[[], Process], name: str) -> None:
    """The one that waits for the lease is well; and a Redis that was emptied makes nothing late."""
    began = time.monotonic()
    one, other = process(), process()

    async def run() -> None: ...

    for each in (one, other):
        each.jobs.start(Job(name, every=0.02, run=run))
    stood_still = False
    # Of each process: when the newest success was that its watch has read of, at the earliest.
    known = {one.name: began, other.name: began}

    async def look(at: Process) -> None:
        """Nothing is late, unless the machine stood still for so long that nobody had a success to read of."""
        nonlocal stood_still
        asked = time.monotonic()
        if found := (await at.successes.read()).get(name):
            known[at.name] = max(known[at.name], asked - found.seconds)
        await at.watch.look()
        if at.watch.late():
            assert time.monotonic() - known[at.name] > 0.3
            stood_still = True

    while time.monotonic() < began + 1.0 or name not in await one.successes.read():
        for each in (one, other):
            await look(each)
        await asyncio.sleep(0.02)
    idle = next(each for each in (one, other) if each.jobs.loops[0][0].succeeded is None)
    found = (await idle.successes.read())[name]
    assert not (found.late and found.seconds < 0.3)
    await one.runtime.redis.delete(keys.JOBS)
    await look(idle)
    assert stood_still or one.restarts == other.restarts == 0
    assert await one.runtime.redis.ttl(keys.JOBS) != -1  # it has an end, or is not there yet


@pytest.mark.parametrize(("vital", "status"), [(True, "DOWN"), (False, "DEGRADED")])
async def test_health_follows(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, vital: bool, status: str) -> None:
    assert (await health_checks_of(runtime)["jobs"]()).status == "UP"
    monkeypatch.setattr(runtime.job_watch, "late", lambda: (LateJob("sweep", 21.4, vital),))
    found = await health_checks_of(runtime)["jobs"]()
    assert found.status == status
    assert found.detail == {"error": "sweep: no success for 21 s", "late": {"sweep": 21.4}}
    assert health_checks.overall({"database": found, "jobs": found}) == status


async def test_health_tells_what_ends_by_itself(runtime: Runtime) -> None:
    async def fails() -> None:
        raise RuntimeError("a defect")

    assert (await health_checks_of(runtime)["tasks"]()).status == "UP"
    service = runtime.supervisor.run_forever("feed opening-night", fails)
    async with asyncio.timeout(PATIENCE):
        while not service.failing:
            await asyncio.sleep(0.01)
    found = await health_checks_of(runtime)["tasks"]()
    assert (found.status, found.detail["error"]) == ("DEGRADED", "feed opening-night")
    await service.end()
    assert (await health_checks_of(runtime)["tasks"]()).status == "UP"
