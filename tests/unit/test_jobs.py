"""What is known of a periodic job's runs, whichever way they end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from prometheus_client import REGISTRY

from core.errors import StoreUnavailable
from core.process.jobs import Job, JobLoop, Jobs
from core.process.supervisor import Supervisor
from core.process.tasks import awaited, end
from tests.waits import PATIENCE


async def _well() -> None: ...


async def _away() -> None:
    raise StoreUnavailable()


async def _broken() -> None:
    raise RuntimeError("a defect")


async def _hangs() -> None:
    await asyncio.Event().wait()


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    ("run", "result"), [(_well, "ok"), (_away, "store_unavailable"), (_broken, "failed"), (_hangs, "failed")]
)
async def test_each_run_is_counted_and_measured(run: Callable[[], Coroutine[Any, Any, None]], result: str) -> None:
    name = f"test_{run.__name__}"
    supervisor, began = Supervisor(), time.time()
    jobs = Jobs(supervisor=supervisor, leases=None)  # type: ignore[arg-type]
    jobs.start(Job(name, every=0.01, run=run, lease=False, limit=0.05))
    async with asyncio.timeout(PATIENCE):
        while not sample("onsale_job_runs_total", job=name, result=result):
            await asyncio.sleep(0.01)
    await jobs.stop()
    await supervisor.drain(1)
    assert sample("onsale_job_duration_seconds_count", job=name) >= 1
    assert sample("onsale_job_last_run_timestamp_seconds", job=name) >= began
    assert (sample("onsale_job_last_success_timestamp_seconds", job=name) >= began) == (result == "ok")
    if run is _hangs:
        assert sample("onsale_job_duration_seconds_sum", job=name) >= 0.05


class DeafLeases:
    """Of a store whose client swallows each cancel that meets a call, until `free`."""

    def __init__(self) -> None:
        self.asked, self.free = asyncio.Event(), asyncio.Event()
        self.cancels = 0

    async def take(self, job: str, seconds: float) -> bool:
        self.asked.set()
        while not self.free.is_set():
            try:
                await self.free.wait()
            except asyncio.CancelledError:
                self.cancels += 1
                return False
        return False


async def test_a_loop_ends_although_taking_its_lease_swallows_each_cancel() -> None:
    """R1: the loop asks whether it was cancelled; nothing would end it otherwise, and who waits for its end hangs."""
    leases = DeafLeases()
    loop = JobLoop(Job("deaf", every=0.001, run=_well), leases, None)  # type: ignore[arg-type]
    running = awaited("job:deaf", loop.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await leases.asked.wait()
        assert await end(running) == 0, "it goes on"
        assert (leases.cancels, loop.result, loop.succeeded) == (1, "ok", None)
    finally:
        leases.free.set()
        await end(running)
