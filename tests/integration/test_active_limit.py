"""The active limit follows load that is really there, says why in log and audit trail, and comes back (S10)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core import keys
from core.database import raw
from core.embedded import Engines
from core.payments.account import account_of
from core.payments.breaker import Mode
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.upkeep.composition import open_limits
from core.upkeep.limits_redis import ActiveLimits
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from core.waiting_room.limit import LoadFollower, Thresholds
from tests.booking import rows
from tests.conftest import small_plan
from tests.own_database import own_database
from tests.payment_servers import Asked, Simulator, an_order, simulator
from tests.topologies import single
from tests.waits import PATIENCE

POOL = 3
FULL = 40
#: Above anything that a machine can read: what a test does not load must not decide it.
NEVER = Thresholds(cpu=9.0, memory=9.0, pool=9.0, payment_seconds=900.0)


@dataclass
class Scene:
    runtime: Runtime
    event: Event
    provider: Simulator
    limits: ActiveLimits | None = None

    def follow(self, **thresholds: float) -> None:
        """From now on only these count; without the pauses, which are a unit test's."""
        values = {name: getattr(NEVER, name) for name in ("cpu", "memory", "pool", "payment_seconds")} | thresholds
        runtime = self.runtime
        self.limits = open_limits(
            runtime.settings,
            redis=runtime.redis,
            readings=runtime.load,
            events=runtime.events,
            clock=runtime.clock,
            database=runtime.database,
            follower=LoadFollower(Thresholds(**values), pause=0.0, patience=0.0),
        )

    async def cap(self) -> int:
        """After one look at the load."""
        assert self.limits is not None
        await self.runtime.load.publish()
        await self.limits.run()
        return int(await self.runtime.redis.get(keys.active_cap(self.event.slug)) or -1)

    async def until_full(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.cap() != FULL:
                await asyncio.sleep(0.02)

    async def reasons(self) -> list[str]:
        entries = await rows(self.runtime, "SELECT detail FROM audit WHERE action = 'limit.changed' ORDER BY id")
        return [entry["detail"]["reason"] for entry in entries]


@pytest.fixture
async def scene(settings: Settings, stores: Engines, tmp_path: Path) -> AsyncIterator[Scene]:
    with single() as valkey:
        async with own_database(stores.database_url) as url, simulator(tmp_path / "books") as provider:
            quick = settings.model_copy(
                update={
                    "active_limit_mode": "load",
                    "limits_seconds": 60.0,
                    "database_pool": POOL,
                    "capacity_per_core": FULL / (os.cpu_count() or 1),
                    "capacity_safety": 1.0,
                    "capacity_per_connection": 100.0,
                    "simulator_url": provider.url,
                }
            )
            async with open_runtime(quick, Engines(url, f"redis://127.0.0.1:{valkey.port}/0")) as runtime:
                new = NewEvent(
                    slug=f"l-{secrets.token_hex(4)}", name="Load", prices={"Standard": 1}, status=SaleStatus.OPEN
                )
                yield Scene(runtime, await runtime.events.create(new, small_plan(4)), provider)


@pytest.mark.usefixtures("patient_circuits")
async def test_load_of_each_kind(scene: Scene) -> None:
    runtime = scene.runtime
    scene.follow()
    assert await scene.cap() == FULL, "a machine that is well bears all"

    # CPU: every core computes.
    scene.follow(cpu=0.7)
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        async with asyncio.timeout(PATIENCE):
            while await scene.cap() == FULL:
                await asyncio.sleep(0.1)
    finally:
        for process in spinning:
            process.kill()
            process.wait()
    assert any(reason.startswith("CPU ") for reason in await scene.reasons())
    scene.follow()
    await scene.until_full()

    # Memory: what is in use now is too much, also when another test gives some of it back.
    scene.follow(memory=runtime.load.read().memory / 2)
    assert await scene.cap() == round(FULL * 0.8)
    assert (await scene.reasons())[-1].startswith("memory ")
    scene.follow()
    await scene.until_full()

    # The pool: all connections but the one that this look needs are in use, for longer than a look.
    scene.follow(pool=(POOL - 1) / POOL)
    async with contextlib.AsyncExitStack() as stack:

        async def ended(tasks: list[asyncio.Task[None]]) -> None:
            await asyncio.gather(*tasks)

        async def take() -> None:
            async with raw(runtime.database):
                taken.release()
                await free.wait()

        taken, free = asyncio.Semaphore(0), asyncio.Event()
        holding = [asyncio.create_task(take()) for _ in range(POOL - 1)]
        stack.push_async_callback(ended, holding)
        stack.callback(free.set)
        for _ in holding:
            await taken.acquire()
        assert await scene.cap() == round(FULL * 0.8)
        assert (await scene.reasons())[-1].startswith("database pool use 67%")
    await scene.until_full()

    # Payment that takes long.
    scene.follow(payment_seconds=0.2)
    await scene.provider.behave(latency_seconds=0.4)
    await _pay(runtime, scene.provider)
    assert await scene.cap() == round(FULL * 0.8)
    assert re.fullmatch(r"payment takes [\d.]+ s \(threshold 0\.2 s\)", (await scene.reasons())[-1])
    await scene.provider.behave(latency_seconds=0)
    for _ in range(2):  # the median of the last minute
        await _pay(runtime, scene.provider)
    await scene.until_full()
    assert (await scene.reasons())[-1] == "load is calm"

    # Payment that is away: who came in could not buy.
    await runtime.payments.force_circuit("toss", Mode.FORCED_OPEN)
    assert await scene.cap() == 0
    assert (await scene.reasons())[-1] == "payment is away"
    await runtime.payments.force_circuit("toss", Mode.CLOSED)
    assert await scene.cap() == FULL // 2, "carefully"
    assert (await scene.reasons())[-1] == "payment is back"

    # Another process takes the job over: it goes on from there.
    scene.follow()
    assert FULL // 2 <= await scene.cap() < FULL
    await scene.until_full()

    # And the one before, which was only cut off for a while, goes on from where that one is.
    before = scene.limits
    scene.follow(memory=runtime.load.read().memory / 2)
    assert await scene.cap() == round(FULL * 0.8)
    scene.limits = before
    assert round(FULL * 0.8) <= await scene.cap() < FULL
    await scene.until_full()


async def _pay(runtime: Runtime, bank: Simulator) -> None:
    gateway, order = runtime.payments.gateway("toss"), an_order()
    authorisation = await bank.authorised(gateway, order)
    await runtime.payments.confirm(account_of(gateway), order, authorisation, order.number, before_call=Asked())
