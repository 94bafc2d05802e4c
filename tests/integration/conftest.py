"""What the tests of the event side share: a database of their own, topics of each test's own, workers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import databases
import pytest

from core.database import open_database
from core.diagnosis import diagnose
from core.diagnosis.finding import Cause, Finding
from core.diagnosis.steps_redis import step
from core.embedded import Engines
from core.messaging.composition import named_server, open_pipeline
from core.messaging.pipeline import EventPipeline
from core.messaging.retry import RetryPlan
from core.messaging.topics_kafka import Topics, make_topics
from core.process.supervisor import Supervisor
from core.runtime import Runtime
from core.settings import Settings
from tests.conftest import MakeEvent
from tests.kafka_broker import RunningKafka
from tests.ledger_consumer import QUICK, Ledger, prepare
from tests.live_server import server as server
from tests.machine_world import PATIENT, World, opened_world
from tests.own_database import own_database
from tests.patient_stores import patient_stores
from tests.payment_servers import Scripted, Simulator, scripted, simulator
from tests.waiting_list import ListOfSale, list_of
from tests.waits import PATIENCE


@pytest.fixture(scope="session")
async def events_url(stores: Engines) -> AsyncIterator[str]:
    """No other test's relay takes its outbox rows."""
    async with own_database(stores.database_url) as mine:
        yield mine


@pytest.fixture(scope="session")
async def events_database(events_url: str) -> AsyncIterator[databases.Database]:
    opened = await open_database(events_url, 20)
    yield opened
    await opened.disconnect()


@pytest.fixture(scope="module")
async def own_url(stores: Engines) -> AsyncIterator[str]:
    """A database of this file's own."""
    async with own_database(stores.database_url) as mine:
        yield mine


@pytest.fixture
async def database(events_database: databases.Database) -> databases.Database:
    """With empty event tables."""
    await prepare(events_database)
    return events_database


@pytest.fixture
def addresses(settings: Settings) -> dict[str, str]:
    """The settings by which a process of its own finds the stores of this run."""
    return {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}


@pytest.fixture(scope="module")
def world(settings: Settings, stores: Engines) -> Iterator[World]:
    """What a state machine runs on; nobody is out because its examples take long."""
    with opened_world(settings.model_copy(update=PATIENT), stores) as opened:
        yield opened


@pytest.fixture
def patient() -> Iterator[None]:
    """For a file that looks for who gets what, and not for how long a store may take. Named before what opens one."""
    with patient_stores():
        yield


@pytest.fixture
def patient_diagnosis(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong is named, and never that a busy machine's store is late: for who looks at another fault."""

    async def waits(name: str, steps: AsyncIterator[Finding], *, away: Cause, patience: float) -> list[Finding]:
        of_a_store = away in (Cause.POSTGRES_AWAY, Cause.REDIS_AWAY)
        return await step(name, steps, away=away, patience=PATIENCE if of_a_store else patience)

    monkeypatch.setattr(diagnose, "step", waits)


@pytest.fixture
async def sale(runtime: Runtime, make_event: MakeEvent) -> ListOfSale:
    """Six seats, sold by a desk, and their waiting list."""
    return list_of(runtime, await make_event(seats=6))


@pytest.fixture
async def paysim(tmp_path: Path) -> AsyncIterator[Simulator]:
    """The payment simulator, with books of its own."""
    async with simulator(tmp_path / "paysim.sqlite3") as running:
        yield running


@pytest.fixture
async def script() -> AsyncIterator[Scripted]:
    """A payment provider that answers what a test says."""
    async with scripted() as running:
        yield running


@pytest.fixture
def soon_missed() -> None:
    """For a test whose member of a group dies: it is missed after a second and a half, not after ten. One of another
    test may stand still for longer than that.
    """


@pytest.fixture
def kafka_settings(
    settings: Settings, running_kafka: RunningKafka, events_url: str, request: pytest.FixtureRequest
) -> Settings:
    servers = running_kafka.bootstrap_servers
    quick = running_kafka.broker is not None and "soon_missed" in request.fixturenames
    return settings.model_copy(
        update={
            "kafka_bootstrap_servers": servers,
            "database_url": events_url,
            "outbox_seconds": 0.05,
            "kafka_session_seconds": 1.5 if quick else 10,
            "kafka_heartbeat_seconds": 0.3,
        }
    )


@pytest.fixture
async def topics(kafka_settings: Settings, running_kafka: RunningKafka) -> Topics:
    """Topics and groups of this test's own, already there."""
    name = f"t{secrets.token_hex(4)}"
    made = Topics(reservations=f"{name}.reservations", dead_letters=f"{name}.dlq", group_prefix=name)
    running_kafka.prepare(made.reservations, made.dead_letters)
    await make_topics(named_server(kafka_settings), made, "test")
    return made


@pytest.fixture
def real_kafka(running_kafka: RunningKafka) -> RunningKafka:
    if running_kafka.mock:
        pytest.skip("librdkafka's mock has other partitions than asked for, and makes every topic that is named")
    return running_kafka


Start = Callable[..., Awaitable[EventPipeline]]


@pytest.fixture
async def start(database: databases.Database, kafka_settings: Settings, topics: Topics) -> AsyncIterator[Start]:
    """`await start(Ledger(), ...)`: a worker with these consumers; all are stopped at the end."""
    supervisor = Supervisor()
    running: list[EventPipeline] = []

    async def begin(*consumers: Ledger, consume: bool = True, retries: RetryPlan = QUICK) -> EventPipeline:
        pipeline = open_pipeline(
            kafka_settings,
            database=database,
            supervisor=supervisor,
            process=f"w{len(running)}",
            consumers=consumers,
            consume=consume,
            topics=topics,
            retries=retries,
        )
        await pipeline.start()
        running.append(pipeline)
        return pipeline

    yield begin
    await asyncio.gather(*(pipeline.stop() for pipeline in running))
    assert await supervisor.drain(PATIENCE) == 0
