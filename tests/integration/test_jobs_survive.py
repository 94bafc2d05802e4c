"""R1: each periodic job survives an arbitrary exception at any of its awaits, and succeeds in the round after it."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from core.diagnosis import health_check
from core.process.exchange_redis import Exchange
from core.process.jobs import Jobs
from core.process.supervisor import Supervisor
from core.runtime import Runtime
from core.settings import Settings
from tests.conftest import MakeEvent
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient")

#: Calls of one round that are made to fail in turn, at most: further ones are repetitions for each event and seat.
MOST_CALLS = 6

JOBS = [
    "draw",
    "turns",
    "event_refunds",
    "returns",
    "offer_mails",
    "sweep",
    "payments",
    "provider_lists",
    "reconcile",
    "redis_watch",
    "paying",
    "janitor",
    "clock",
    "load",
    "limits",
    "vitals",
    "history",
    "health_watch",
    "outbox_lag",
    "removals",
    "purge_events",
]


def test_without_two_jobs_nobody_can_buy(runtime: Runtime) -> None:
    """Health is DOWN for them, and DEGRADED for any other one (docs/runbook.md), whose alert is a warning as well."""
    assert {job.name for job in runtime.job_list() if job.vital} == set(health_check.OF_JOBS) == {"sweep", "payments"}


class Anything(Exception):
    """No error of ours, of a store or of a driver."""


class Faults:
    """Every call to a store goes through `call`, in order; the one that is `armed` raises."""

    def __init__(self) -> None:
        self.calls = 0
        self.armed: int | None = None
        self.error: type[BaseException] = Anything

    def call(self) -> None:
        self.calls += 1
        if self.armed is not None and self.calls >= self.armed:
            self.armed = None
            raise self.error


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    made = Faults()

    def through(owner: type[Any], name: str) -> None:
        original = getattr(owner, name)

        async def call(self: Any, *args: Any, **options: Any) -> Any:
            made.call()
            return await original(self, *args, **options)

        monkeypatch.setattr(owner, name, call)

    through(Redis, "execute_command")
    through(Pipeline, "execute")
    through(Exchange, "__call__")
    for name in ("execute", "executemany", "fetch", "fetchrow", "fetchval"):
        through(asyncpg.Connection, name)
    return made


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    """A round of the consistency job pauses for no event of the tests before."""
    return settings.model_copy(update={"reconcile_pause_ms": 0.0})


def test_the_list_is_whole(runtime: Runtime) -> None:
    assert {job.name for job in runtime.job_list()} == set(JOBS)


@pytest.mark.parametrize("name", JOBS)
async def test_a_job_survives_what_is_raised_at_any_of_its_calls(
    runtime: Runtime, faults: Faults, make_event: MakeEvent, name: str
) -> None:
    """An exception, and a cancellation from within."""
    await make_event(seats=3)
    [job] = [job for job in runtime.job_list() if job.name == name]
    supervisor = Supervisor()
    jobs = Jobs(supervisor=supervisor, leases=runtime.leases)
    jobs.start(replace(job, name=f"{name}-tried", every=0.01))
    [(loop, service)] = jobs.loops

    async def succeeds() -> None:
        before = loop.succeeded
        async with asyncio.timeout(PATIENCE):
            while loop.succeeded == before:
                await asyncio.sleep(0.002)

    await succeeds()
    first = faults.calls
    await succeeds()
    calls = min(max(faults.calls - first, 1), MOST_CALLS)
    for error, number in itertools.product((Anything, asyncio.CancelledError), range(1, calls + 1)):
        faults.error, faults.calls, faults.armed = error, 0, number
        async with asyncio.timeout(PATIENCE):
            while faults.armed is not None:
                await asyncio.sleep(0.002)
        await succeeds()
        assert not service.done
    await jobs.stop()
    await supervisor.drain(0)


async def test_what_is_raised_in_a_batch_of_scripts_reaches_who_called_and_stops_no_other_call(
    runtime: Runtime, faults: Faults, make_event: MakeEvent
) -> None:
    event = await make_event(seats=3)
    await runtime.seats.ensure_board(event)
    faults.calls, faults.armed = 0, 1
    async with asyncio.timeout(PATIENCE):
        found = await asyncio.gather(
            *(runtime.seats.basket(event, visitor) for visitor in ("a", "b", "c")), return_exceptions=True
        )
        assert any(isinstance(one, Anything) for one in found)
        assert await runtime.seats.basket(event, "a") is None
