"""R1: a lease's keeper ends with its work, also when the cancel meets the answer of a renewal, and never outlives it.

redis-py and Python 3.11's `asyncio.wait_for` may swallow a cancel that comes in the turn of the answer. The keeper
then went on for ever, whoever waited for it hung, and the lease stayed renewed: no other process took the job over.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable

import pytest

from core import keys
from core.database import raw
from core.process.jobs import Job, Jobs
from core.process.lease_redis import Leases
from core.process.leases import kept
from core.process.supervisor import Supervisor
from core.process.watched_tasks import STUCK
from core.runtime import Runtime
from tests.waits import PATIENCE

Renew = Callable[[], Awaitable[object]]


def renewals(runtime: Runtime, store: str) -> Renew:
    """A renewal as the product's keepers make them: by a script in Valkey, by a statement in PostgreSQL."""
    leases, job = Leases(runtime.redis, "one"), f"kept-{secrets.token_hex(3)}"

    async def in_postgres() -> None:
        async with raw(runtime.database) as connection:
            await connection.fetchval("SELECT 1")

    return (lambda: leases.take(job, 1.0)) if store == "valkey" else in_postgres


@pytest.mark.parametrize("store", ["valkey", "postgres"])
async def test_a_keeper_ends_when_the_cancel_meets_the_answer(runtime: Runtime, store: str) -> None:
    stuck = STUCK.labels("lease")._value.get()

    async def works(renew: Renew) -> None:
        for _ in range(40):
            async with kept("test", renew, lease_seconds=0.003, limit_seconds=60):
                await asyncio.sleep(random.uniform(0.001, 0.004))

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(works(renewals(runtime, store)) for _ in range(20)))
    assert STUCK.labels("lease")._value.get() == stuck


async def test_the_race_is_real(runtime: Runtime) -> None:
    """Negative control: a keeper that does not ask whether it was cancelled survives, on this very Valkey."""
    renew, survived = renewals(runtime, "valkey"), 0

    async def naive() -> None:
        while True:
            await asyncio.sleep(0.001)
            await renew()

    async with asyncio.timeout(PATIENCE):
        while not survived:
            keepers = [asyncio.create_task(naive()) for _ in range(20)]
            await asyncio.sleep(random.uniform(0.005, 0.02))
            for keeper in keepers:
                keeper.cancel()
            await asyncio.wait(keepers, timeout=0.2)
            left = {keeper for keeper in keepers if not keeper.done()}
            survived += len(left)
            while left:
                for keeper in left:
                    keeper.cancel()
                _, left = await asyncio.wait(left, timeout=0.05)
    assert survived


async def test_a_renewal_that_swallows_its_cancel_ends_the_keeper(runtime: Runtime) -> None:
    """The same, with no luck in it: the cancel is swallowed each time."""
    asked = asyncio.Event()

    async def swallowing() -> bool:
        asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return True
        raise AssertionError

    stuck = STUCK.labels("lease")._value.get()
    async with asyncio.timeout(PATIENCE):
        async with kept("test", swallowing, lease_seconds=0.003, limit_seconds=60):
            await asked.wait()
    assert STUCK.labels("lease")._value.get() == stuck, "it was given up, and has not ended"


async def test_nothing_is_renewed_for_work_that_hangs(runtime: Runtime) -> None:
    """Another process gets the lease although this one's work goes on and on."""
    job = f"hangs-{secrets.token_hex(3)}"
    mine, other = Leases(runtime.redis, "one"), Leases(runtime.redis, "other")
    assert await mine.take(job, 0.3)
    async with kept("test", lambda: mine.take(job, 0.3), lease_seconds=0.3, limit_seconds=0.6):
        async with asyncio.timeout(PATIENCE):
            while not await other.take(job, 1):
                await asyncio.sleep(0.02)


async def test_a_job_that_ignores_its_cancel_keeps_nobody_from_the_job(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop goes on, the lease ends or is taken again, and `stop` comes back."""
    monkeypatch.setattr("core.process.tasks.END_SECONDS", 0.2)
    job, runs, free = f"deaf-{secrets.token_hex(3)}", 0, asyncio.Event()

    async def deaf() -> None:
        nonlocal runs
        runs += 1
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    supervisor = Supervisor()
    jobs = Jobs(supervisor=supervisor, leases=Leases(runtime.redis, "one"))
    jobs.start(Job(job, every=0.05, run=deaf, limit=0.1))
    async with asyncio.timeout(PATIENCE):
        while runs < 2:
            await asyncio.sleep(0.02)
    async with asyncio.timeout(PATIENCE):
        await jobs.stop()
        await supervisor.drain(0)
    free.set()
    assert await runtime.redis.get(keys.job_lease(job)) is None
