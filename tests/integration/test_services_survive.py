"""R1: what a process runs for ever survives an error at any of its awaits, and does its work again soon afterwards.

Feeds: `test_feeds_survive.py`; periodic jobs: `test_jobs_survive.py`, and with something to do `test_work_survives.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterator

import databases
import pytest

from core.errors import StoreUnavailable
from core.messaging import relay
from core.messaging.composition import open_pipeline
from core.process import job_watch, jobs, store_watch, supervisor
from core.process.job_watch import JobWatch
from core.process.jobs import Job, Jobs
from core.process.lease_redis import Leases
from core.process.store_watch import StoreWatch
from core.process.successes_redis import Successes
from core.process.supervisor import Supervisor
from core.runtime import Runtime
from core.settings import Settings
from core.venue.event import SaleStatus
from tests.conftest import MakeEvent
from tests.ledger_consumer import QUICK, Ledger, effects
from tests.outbox_rows import write
from tests.strikes import Strikes, begins_in, short_pauses
from tests.waits import PATIENCE, until
from web import plans

#: So many rounds without a new await end a test.
FRUITLESS = 3
MOST_ROUNDS = 150


@pytest.fixture(autouse=True)
def quick_restarts() -> Iterator[None]:
    with short_pauses(supervisor.RESTART, relay._PAUSES):
        yield


async def struck_everywhere(strikes: Strikes, room: str, work: Callable[[], Awaitable[None]]) -> None:
    """`work` again and again, which ends when what it wants has happened, until no await is left to strike."""
    rounds = fruitless = 0
    while rounds < MOST_ROUNDS and fruitless < FRUITLESS:
        rounds += 1
        before = len(strikes.struck)
        strikes.arm()
        await work()
        fruitless = fruitless + 1 if len(strikes.struck) == before else 0
    strikes.armed = False
    assert fruitless == FRUITLESS, "there is always one more"
    assert any(function.startswith(room) for function in strikes.functions), strikes.struck


async def test_relay_and_consumers(database: databases.Database, events_url: str, settings: Settings) -> None:
    """Rule 7: each row has its effect once."""
    changes = {"database_url": events_url, "outbox_seconds": 0.02, "outbox_lease_seconds": 0.5}
    running, strikes, ledger = Supervisor(), Strikes(), Ledger()
    pipeline = open_pipeline(
        settings.model_copy(update=changes),
        database=database,
        supervisor=running,
        process="test",
        consumers=[ledger],
        retries=QUICK,
    )
    with strikes.on(begins_in("core/messaging")):
        await pipeline.start()

        async def work() -> None:
            _, uid = await write(database)

            async def has_arrived() -> bool:
                return (await effects(database))[uid] == 1 and not (await pipeline.lag()).unsent

            await until(has_arrived, f"it arrives after {strikes.struck[-1:]}")

        await struck_everywhere(strikes, "relay.", work)
        await pipeline.stop()
    await running.drain(PATIENCE)
    assert set((await effects(database)).values()) == {1}


async def test_the_watch_over_the_jobs(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "late_after", lambda every, limit: 1.0)
    monkeypatch.setattr(job_watch, "_LOOK_SECONDS", 0.01)
    name, running, strikes, fails = f"test-{secrets.token_hex(4)}", Supervisor(), Strikes(), False

    async def run() -> None:
        if fails:
            raise RuntimeError("a defect")

    made = Jobs(supervisor=running, leases=Leases(runtime.redis, name), successes=Successes(runtime.redis))
    watch = JobWatch(
        jobs=made,
        leases=Leases(runtime.redis, name),
        successes=Successes(runtime.redis),
        stores={"database": runtime.events.list},
        end_process=lambda: None,
    )
    made.start(Job(name, every=0.02, run=run))
    with strikes.on(begins_in("core/process/job_watch.py")):
        running.run_forever("job-watch", watch.run)

        async def work() -> None:
            nonlocal fails
            fails = True
            await until(watch.late, f"it is told after {strikes.struck[-1:]}")
            fails = False
            await until(lambda: not watch.late(), f"it is well after {strikes.struck[-1:]}")

        await struck_everywhere(strikes, "job_watch.", work)
    await made.stop()
    await running.drain(PATIENCE)


async def test_the_watch_over_the_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_watch, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(store_watch, "SILENT_SECONDS", 0.05)
    running, strikes, away = Supervisor(), Strikes(), False

    async def ask() -> None:
        if away:
            raise StoreUnavailable

    watch = StoreWatch({"database": ask})
    with strikes.on(begins_in("core/process/store_watch.py")):
        running.run_forever("store-watch", watch.run)

        async def work() -> None:
            nonlocal away
            away = True
            await until(lambda: watch.away == ("database",), f"it is away after {strikes.struck[-1:]}")
            away = False
            await until(lambda: not watch.away, f"it is back after {strikes.struck[-1:]}")

        await struck_everywhere(strikes, "store_watch.", work)
    await running.drain(PATIENCE)


async def test_plans_are_made_ready(runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "LOOK_SECONDS", 0.01)
    running, strikes, seats = Supervisor(), Strikes(), iter(range(20, 20 + MOST_ROUNDS))
    kept = plans.Plans(runtime.events, runtime.clock)
    with strikes.on(begins_in("web/plans.py")):
        running.run_forever("web.plans", kept.keep_ready)

        async def work() -> None:
            event = await make_event(seats=next(seats))  # a hall of its own, whose plan nobody has made yet

            async def is_ready() -> bool:
                return await runtime.events.loaded_plan(event) in kept._columns._bodies

            await until(is_ready, f"it is ready after {strikes.struck[-1:]}")
            await runtime.events.set_status(event.slug, SaleStatus.CLOSED)

        await struck_everywhere(strikes, "plans.", work)
    await running.drain(PATIENCE)
