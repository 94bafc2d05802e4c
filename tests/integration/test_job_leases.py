"""One process of all runs a leased job, also when a run takes longer than the lease."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from core import keys
from core.process import leases
from core.process.jobs import Job, Jobs
from core.process.lease_redis import Leases
from core.process.supervisor import Supervisor
from core.runtime import Runtime
from tests.waits import PATIENCE


async def test_a_long_run_keeps_its_lease(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    # A lease that outlives a machine that stands still, and is renewed every second as one of three is.
    monkeypatch.setattr(Job, "lease_seconds", 90.0)
    monkeypatch.setattr(leases, "_RENEWALS", 90)
    name = f"long-{secrets.token_hex(3)}"
    lease = keys.job_lease(name)
    began, end = asyncio.Event(), asyncio.Event()

    async def long() -> None:
        began.set()
        await end.wait()

    supervisor = Supervisor()
    jobs = Jobs(supervisor=supervisor, leases=Leases(runtime.redis, "one"))
    other = Leases(runtime.redis, "other")
    jobs.start(Job(name, every=0.01, run=long))
    async with asyncio.timeout(PATIENCE):
        await began.wait()
        given = await runtime.redis.pttl(lease)
        await runtime.redis.pexpire(lease, given * 2 // 3)  # as if most of a period had gone by
        while await runtime.redis.pttl(lease) <= given * 2 // 3:
            assert not await other.take(name, 1)
            await asyncio.sleep(0.02)
    end.set()
    await jobs.stop()
    await supervisor.drain(1)
    assert await other.take(name, 1), "given back at the end"
