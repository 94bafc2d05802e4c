"""Events over a real Apache Kafka (S18-S20, rule 7): nothing lost, no effect twice, whatever dies when."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import databases
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from core.database import open_database
from core.embedded import Engines
from core.events import dead_letters_kafka as dead
from core.events.bus_kafka import KafkaBus
from core.events.codec import Encoder
from core.events.dead_letters_postgres import DeadLetters
from core.events.lag_kafka import consumer_lag
from core.events.outbox_postgres import Outbox
from core.events.pipeline import EventPipeline
from core.events.retry import RetryPlan
from core.events.topics_kafka import Topics, make_topics
from core.events.worker import run_worker
from core.runtime import open_runtime
from core.settings import Settings
from core.upkeep.supervisor import Supervisor
from tests.kafka_broker import RunningKafka
from tests.ledger_consumer import Ledger, effects, prepare
from tests.outbox_rows import write
from tests.own_database import own_database

QUICK = RetryPlan(3, first_pause=0.05, away_seconds=0.2)


@pytest.fixture(scope="module")
async def url(stores: Engines) -> AsyncIterator[str]:
    async with own_database(stores.database_url) as mine:
        yield mine


@pytest.fixture
async def database(url: str) -> AsyncIterator[databases.Database]:
    opened = await open_database(url, 20)
    await prepare(opened)
    yield opened
    await opened.disconnect()


@pytest.fixture
def mine(settings: Settings, running_kafka: RunningKafka, url: str) -> Settings:
    return settings.model_copy(
        update={"kafka_bootstrap_servers": running_kafka.bootstrap_servers, "database_url": url, "outbox_seconds": 0.05}
    )


@pytest.fixture
async def topics(mine: Settings, running_kafka: RunningKafka) -> Topics:
    """Topics and groups of this test's own, already there."""
    name = f"t{secrets.token_hex(4)}"
    made = Topics(reservations=f"{name}.reservations", dead_letters=f"{name}.dlq", group_prefix=name)
    running_kafka.prepare(made.reservations, made.dead_letters)
    await make_topics(mine, made, "test")
    return made


@pytest.fixture
def real_kafka(running_kafka: RunningKafka) -> RunningKafka:
    if running_kafka.mock:
        pytest.skip("librdkafka's mock has other partitions than asked for, and makes every topic that is named")
    return running_kafka


Start = Callable[..., Awaitable[EventPipeline]]


@pytest.fixture
async def start(database: databases.Database, mine: Settings, topics: Topics) -> AsyncIterator[Start]:
    """`await start(Ledger(), ...)`: a worker with these consumers; all are stopped at the end."""
    supervisor = Supervisor()
    running: list[EventPipeline] = []

    async def begin(*consumers: Ledger, consume: bool = True, process: str = "") -> EventPipeline:
        pipeline = EventPipeline(
            database=database, settings=mine, supervisor=supervisor, process=process or f"w{len(running)}",
            consumers=consumers, consume=consume, topics=topics, retries=QUICK,
        )  # fmt: skip
        await pipeline.start()
        running.append(pipeline)
        return pipeline

    yield begin
    await asyncio.gather(*(pipeline.stop() for pipeline in running))
    assert await supervisor.drain(5) == 0


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


async def had_effect(database: databases.Database, uids: set[uuid.UUID], consumer: str = "ledger") -> None:
    """Waits until all of them did, and asserts that none did twice."""

    async def all_there() -> bool:
        return set(await effects(database, consumer)) >= uids

    await until(all_there)
    assert await effects(database, consumer) == Counter(uids)


@asynccontextmanager
async def reader(settings: Settings, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka_bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def messages(settings: Settings, topic: str, count: int) -> list[ConsumerRecord]:
    """The first `count` messages of a topic; waits for them."""
    found: list[ConsumerRecord] = []
    async with reader(settings, topic) as consumer, asyncio.timeout(60):
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
    return found


async def produce(settings: Settings, topic: str, value: bytes, key: bytes = b"k") -> ConsumerRecord:
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as producer:
        return await producer.send_and_wait(topic, value, key=key)


async def test_every_group_gets_every_event_once_and_each_reservation_in_order(
    database: databases.Database, start: Start
) -> None:
    order: dict[uuid.UUID, list[uuid.UUID]] = {}
    reservations = [uuid.uuid4() for _ in range(30)]
    for step in ("paying", "confirmed", "cancelled"):
        for one in reservations:
            order.setdefault(one, []).append((await write(database, f"reservation.{step}", reservation=one))[1])
    uids = {uid for each in order.values() for uid in each}
    ledger, projection = Ledger(), Ledger("projection", batch=100)
    worker = await start(ledger, projection)
    await start(consume=False)
    await had_effect(database, uids)
    await had_effect(database, uids, "projection")
    assert (await worker.lag()).unsent == 0
    handled = [uid for call in ledger.calls for uid in call]
    for expected in order.values():
        assert [uid for uid in handled if uid in expected] == expected


async def test_a_relay_that_dies_between_send_and_mark_repeats_the_message_and_not_the_effect(
    database: databases.Database, mine: Settings, topics: Topics, start: Start
) -> None:
    one = uuid.uuid4()
    uids = {(await write(database, f"reservation.{step}", reservation=one))[1] for step in ("paying", "confirmed")}
    outbox = Outbox(database, process="dying")
    bus = KafkaBus(settings=mine, encoder=Encoder(), retries=QUICK, process="dying", topics=topics)
    claim = await outbox.claim(10, 0.1)
    assert await bus.publish(claim.rows) == {}
    # It dies here: the brokers have the message, the outbox does not know, and the lease runs out.
    await bus.stop()
    await start(Ledger(), Ledger("projection", batch=100))
    await had_effect(database, uids)
    await had_effect(database, uids, "projection")
    sent = Counter(dict(record.headers)["onsale-event-uid"] for record in await messages(mine, topics.reservations, 3))
    assert sorted(sent.values()) == [1, 2]


async def test_a_consumer_killed_in_the_middle_of_a_message_loses_nothing_and_repeats_nothing(
    database: databases.Database, mine: Settings, topics: Topics, start: Start
) -> None:
    """S20: kill -9 with the effect written and not committed; the next member has it after the session's 10 s."""
    uids = {(await write(database))[1] for _ in range(9)}
    given = {
        "database_url": mine.database_url, "kafka_bootstrap_servers": mine.kafka_bootstrap_servers,
        "data": str(mine.data), "outbox_seconds": 0.05,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.dying_worker", json.dumps(given), json.dumps(asdict(topics)),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while b"in hand" not in await process.stdout.readline():
            assert process.returncode is None
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert await effects(database) == Counter()
    await start(Ledger())
    await had_effect(database, uids)


async def test_three_consumers_share_three_partitions_and_one_that_leaves_is_replaced(
    database: databases.Database, real_kafka: RunningKafka, start: Start
) -> None:
    """S20: messages flow while members come and go; every event has its effect once."""
    uids: set[uuid.UUID] = set()
    stop = asyncio.Event()

    async def sell() -> None:
        while not stop.is_set():
            uids.add((await write(database))[1])
            await asyncio.sleep(0.01)

    selling = asyncio.create_task(sell())
    workers = [await start(Ledger())]
    (group,) = [name for name in workers[0].assigned if name.endswith(".ledger")]
    for wanted in ([1, 2], [1, 1, 1]):
        workers.append(await start(Ledger()))

        async def shared(wanted: list[int] = wanted) -> bool:
            parts = [worker.assigned[group] for worker in workers]
            return sorted(len(part) for part in parts) == wanted and set().union(*parts) == {0, 1, 2}

        await until(shared)
    leaver = workers.pop()
    await leaver.stop()

    async def taken_over() -> bool:
        return set().union(*(worker.assigned[group] for worker in workers)) == {0, 1, 2}

    await until(taken_over)
    stop.set()
    await selling
    await had_effect(database, uids)


async def test_the_broker_goes_and_comes_back_while_sales_go_on(
    database: databases.Database, running_kafka: RunningKafka, start: Start
) -> None:
    broker = running_kafka.broker
    if broker is None:
        pytest.skip("this broker is not ours to stop")
    worker = await start(Ledger())
    uids = {(await write(database))[1] for _ in range(5)}
    await had_effect(database, uids)
    leaver = await start(Ledger())

    async def both_have_some() -> bool:
        return all(any(each.assigned.values()) for each in (worker, leaver))

    await until(both_have_some)
    broker.stop(kill=True)
    # A process that is told to end while the brokers are away does not wait for them.
    async with asyncio.timeout(40):
        await leaver.stop()
    # Sales do not notice: rows pile up where they are safe.
    for _ in range(20):
        worker.wake()
        uids.add((await write(database))[1])
    assert (await worker.lag()).unsent == 20
    assert len(await effects(database)) == 5
    await asyncio.to_thread(broker.start)
    await had_effect(database, uids)

    async def caught_up() -> bool:
        return (await worker.lag()).unsent == 0

    await until(caught_up)


async def test_a_poison_message_goes_to_the_dead_letter_topic_and_the_others_pass(
    database: databases.Database, mine: Settings, topics: Topics, start: Start
) -> None:
    """S19: unreadable bytes, and an event whose effect always fails; then mended and sent again by the operator."""
    ledger, other = Ledger(), Ledger("other", batch=100)
    (_, spoiled), (_, later) = await write(database), await write(database)
    ledger.spoiled = {spoiled}
    garbage = await produce(mine, topics.reservations, b"\xc3\x01not avro at all")
    await start(ledger, other)
    await had_effect(database, {later})
    await had_effect(database, {spoiled, later}, "other")

    letters = DeadLetters(database)

    async def kept() -> bool:
        return await letters.count() == 3

    await until(kept)
    assert ledger.calls.count([spoiled]) == QUICK.tries
    by_consumer = {(letter.consumer, letter.event_uid) for letter in await letters.list()}
    assert by_consumer == {("ledger", None), ("other", None), ("ledger", spoiled)}
    (letter,) = [each for each in await letters.list() if each.event_uid]
    assert letter.attempts == QUICK.tries
    assert "spoiled" in letter.error
    dead_messages = await messages(mine, topics.dead_letters, 3)
    (record,) = [each for each in dead_messages if not each.value.startswith(b"\xc3\x01not avro")]
    headers = dict(record.headers)
    assert headers[dead.ERROR] == b"RuntimeError: spoiled"
    assert headers[dead.TRIED] == str(QUICK.tries).encode()
    assert headers[dead.SOURCE].decode().startswith(f"{topics.reservations}/")
    raw_letter = next(each for each in await letters.list() if each.consumer == "other")
    assert raw_letter.raw == b"\xc3\x01not avro at all"
    assert raw_letter.source == f"{topics.reservations}/{garbage.partition}/{garbage.offset}"

    # Mended, and sent again for the consumer that failed; the other passes it over though its mark is gone.
    ledger.spoiled.clear()
    await database.execute("DELETE FROM processed_events WHERE consumer = 'other'")
    assert await letters.retry([letter.id]) == 1
    await had_effect(database, {spoiled, later})
    assert (await effects(database, "other"))[spoiled] == 1
    assert await letters.count() == 2

    # The unreadable one is sent again byte by byte, and fails again as a new letter.
    assert await letters.retry([raw_letter.id]) == 1

    async def failed_again() -> bool:
        return [each.raw for each in await letters.list() if each.consumer == "other"] == [raw_letter.raw]

    await until(failed_again)
    # For the one that it was sent to; the ledger has its first letter about it, and no second one.
    assert [each.raw for each in await letters.list() if each.consumer == "ledger"] == [raw_letter.raw]


async def test_a_dependency_that_is_away_holds_the_partition_back_and_loses_nothing(
    database: databases.Database, real_kafka: RunningKafka, mine: Settings, topics: Topics, start: Start
) -> None:
    """A mail server that is away for long: the member stays in its group, and nothing becomes a dead letter."""
    ledger, other = Ledger(), Ledger("other", batch=100)
    ledger.away = True
    uids = {(await write(database))[1] for _ in range(5)}
    worker = await start(ledger, other)
    await had_effect(database, uids, "other")
    (group,) = [name for name in worker.assigned if name.endswith(".ledger")]

    # The brokers know who is behind, and by how much.
    lag = await consumer_lag(mine, ["ledger", "other", "never-ran"], topics=topics)
    assert (lag["ledger"], lag["never-ran"]) == (5, 5)

    async def tried_often() -> bool:
        return len(ledger.calls) > 10 * QUICK.tries

    await until(tried_often)
    assert worker.assigned[group] == {0, 1, 2}
    assert await effects(database) == Counter()
    assert await DeadLetters(database).count() == 0
    ledger.away = False
    await had_effect(database, uids)

    async def level() -> bool:
        return set((await consumer_lag(mine, ["ledger", "other"], topics=topics)).values()) == {0}

    await until(level)


async def test_a_worker_tells_buyers_and_counts_sales(
    database: databases.Database, real_kafka: RunningKafka, mine: Settings, stores: Engines, tmp_path: Path
) -> None:
    """`onsale worker` with the product's own consumers and topics; a web process only relays."""
    with_files = mine.model_copy(update={"data": tmp_path})
    engines = Engines(mine.database_url, stores.redis_url)
    async with open_runtime(with_files, engines) as web:
        assert web.pipeline.assigned == {}
        await web.pipeline.start()
        uids = {str((await write(database))[1]) for _ in range(5)}

        async def relayed() -> bool:
            return (await web.pipeline.lag()).unsent == 0

        await until(relayed)
        assert not (tmp_path / "mail").exists()
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(with_files, engines, stop=stop))

        async def told() -> bool:
            return (tmp_path / "mail").exists() and {each.stem for each in (tmp_path / "mail").glob("*.eml")} == uids

        await until(told)
        stop.set()
        assert await worker == 0
        await web.pipeline.stop()
