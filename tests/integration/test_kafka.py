"""Events over a real Apache Kafka (S18-S20, rule 7): nothing lost, no effect twice, whatever dies when."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import databases
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError
from pydantic import SecretStr
from typer.testing import CliRunner

from cli import messages as messages_cli
from cli.worker import run_worker
from core.embedded import Engines
from core.errors import StartupError
from core.messaging import dead_letters_kafka as dead
from core.messaging import group_kafka
from core.messaging.bus_kafka import KafkaBus, Producer
from core.messaging.codec import Encoder
from core.messaging.composition import named_server
from core.messaging.dead_letters_postgres import DeadLetters
from core.messaging.group_kafka import Batches, Progress
from core.messaging.lag_kafka import consumer_lag
from core.messaging.outbox_postgres import Outbox
from core.messaging.retry import RetryPlan
from core.messaging.topics_kafka import Topics, client_options
from core.runtime import open_runtime
from core.settings import Settings
from tests.integration.conftest import Start
from tests.kafka_broker import SASL_PASSWORD, SASL_USER, RunningKafka
from tests.ledger_consumer import QUICK, Ledger, effects
from tests.outbox_rows import write
from tests.waits import PATIENCE, until


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
    async with reader(settings, topic) as consumer, asyncio.timeout(PATIENCE):
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
    database: databases.Database, kafka_settings: Settings, topics: Topics, start: Start
) -> None:
    one = uuid.uuid4()
    uids = {(await write(database, f"reservation.{step}", reservation=one))[1] for step in ("paying", "confirmed")}
    outbox = Outbox(database, process="dying")
    bus = KafkaBus(
        server=named_server(kafka_settings), encoder=Encoder(), retries=QUICK, process="dying", topics=topics
    )
    claim = await outbox.claim(10, 0.1)
    assert await bus.publish(claim.rows) == {}
    # It dies here: the brokers have the message, the outbox does not know, and the lease runs out.
    await bus.stop()
    await start(Ledger(), Ledger("projection", batch=100))
    await had_effect(database, uids)
    await had_effect(database, uids, "projection")
    found = await messages(kafka_settings, topics.reservations, 3)
    sent = Counter(dict(record.headers)["onsale-event-uid"] for record in found)
    assert sorted(sent.values()) == [1, 2]


async def test_batches_that_come_at_the_same_time_share_one_producer(kafka_settings: Settings) -> None:
    """A second one would never be closed, and would go on sending what was given back to the outbox (rule 7)."""
    producer = Producer(named_server(kafka_settings), "shared")
    one, other = await asyncio.gather(producer.open(), producer.open())
    await producer.stop()
    if one is not other:
        await asyncio.gather(one.stop(), other.stop())
    assert one is other


async def test_a_member_leaves_its_group_also_while_a_commit_hangs(
    kafka_settings: Settings, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it keeps its partitions beside the one that takes its place."""

    async def nothing(batches: Batches) -> dict[TopicPartition, Progress]:
        return {}

    monkeypatch.setattr(group_kafka, "_LEAVE_SECONDS", 0.5)
    member = group_kafka.KafkaGroup(
        server=named_server(kafka_settings),
        topic=topics.reservations,
        group=topics.group("leaving"),
        process="leaving",
        handler=nothing,
        retries=QUICK,
    )
    consumer = member._consumer()
    await consumer.start()
    member._committing = asyncio.create_task(asyncio.sleep(3600))
    try:
        await member._close(consumer)
        with pytest.raises(ConsumerStoppedError):
            await asyncio.wait_for(consumer.getmany(timeout_ms=0), PATIENCE)
    finally:
        await consumer.stop()


@asynccontextmanager
async def dying_worker(settings: Settings, topics: Topics, *killer: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process, killed at the end when nothing else did it."""
    given = {
        "database_url": settings.database_url,
        "kafka_bootstrap_servers": settings.kafka_bootstrap_servers,
        "data": str(settings.data),
        "outbox_seconds": settings.outbox_seconds,
        "kafka_session_seconds": settings.kafka_session_seconds,
        "kafka_heartbeat_seconds": settings.kafka_heartbeat_seconds,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.dying_worker",
        json.dumps(given),
        json.dumps(asdict(topics)),
        *killer,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


@pytest.mark.usefixtures("soon_missed")
async def test_a_consumer_killed_in_the_middle_of_a_message_loses_nothing_and_repeats_nothing(
    database: databases.Database, kafka_settings: Settings, topics: Topics, start: Start
) -> None:
    """S20: kill -9 with the effect written and not committed; the next member has it when the session has ended."""
    uids = {(await write(database))[1] for _ in range(9)}
    async with dying_worker(kafka_settings, topics) as process:
        assert process.stdout is not None
        while b"in hand" not in await process.stdout.readline():
            assert process.returncode is None
    assert await effects(database) == Counter()
    await start(Ledger())
    await had_effect(database, uids)


@pytest.mark.usefixtures("soon_missed")
async def test_a_message_that_kills_its_process_becomes_a_dead_letter_and_the_others_are_handled(
    database: databases.Database, real_kafka: RunningKafka, kafka_settings: Settings, topics: Topics, start: Start
) -> None:
    """S19: nobody is left to count such a try; what the process had in hand tells its successors."""
    reservation = uuid.uuid4()
    uids = {(await write(database))[1] for _ in range(6)}
    _, killer = await write(database, reservation=reservation)
    _, later = await write(database, "reservation.cancelled", reservation=reservation)
    uids |= {later} | {(await write(database))[1] for _ in range(3)}
    relay = await start(consume=False)

    async def sent() -> bool:
        return (await relay.lag()).unsent == 0

    await until(sent)
    # The first dies with a batch in hand, the second with one message: that is the one try of its plan.
    for _ in range(2):
        async with dying_worker(kafka_settings, topics, str(killer)) as process:
            assert await process.wait() == -signal.SIGKILL
    await start(Ledger(batch=100), retries=RetryPlan(1, away_seconds=0.2))
    await had_effect(database, uids)
    letters = DeadLetters(database)

    async def kept() -> bool:
        return await letters.count() == 1

    await until(kept)
    (letter,) = await letters.list()
    assert (letter.consumer, letter.event_uid, letter.reservation_id) == ("ledger", killer, reservation)
    assert (letter.type, letter.payload, letter.attempts) == ("reservation.confirmed", None, 1)
    (record,) = await messages(kafka_settings, topics.dead_letters, 1)
    assert b"died with this message in hand" in dict(record.headers)[dead.ERROR]
    stores = {"DATABASE_URL": kafka_settings.database_url, "REDIS_URL": kafka_settings.redis_url}
    listed = await asyncio.to_thread(CliRunner().invoke, messages_cli.app, ["dead", "list"], env=stores)
    assert "died with this message in hand" in listed.output
    # Mended, and sent again byte by byte.
    assert await letters.retry([letter.id]) == 1
    await had_effect(database, uids | {killer})


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
    async with asyncio.timeout(PATIENCE):
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
    database: databases.Database, kafka_settings: Settings, topics: Topics, start: Start
) -> None:
    """S19: unreadable bytes, and an event whose effect always fails; then mended and sent again by the operator."""
    ledger, other = Ledger(), Ledger("other", batch=100)
    (_, spoiled), (_, later) = await write(database), await write(database)
    ledger.spoiled = {spoiled}
    garbage = await produce(kafka_settings, topics.reservations, b"\xc3\x01not avro at all")
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
    dead_messages = await messages(kafka_settings, topics.dead_letters, 3)
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
    database: databases.Database, real_kafka: RunningKafka, kafka_settings: Settings, topics: Topics, start: Start
) -> None:
    """A mail server that is away for long: the member stays in its group, and nothing becomes a dead letter."""
    ledger, other = Ledger(), Ledger("other", batch=100)
    ledger.away = True
    uids = {(await write(database))[1] for _ in range(5)}
    worker = await start(ledger, other)
    await had_effect(database, uids, "other")
    (group,) = [name for name in worker.assigned if name.endswith(".ledger")]

    # The brokers know who is behind, and by how much.
    lag = await consumer_lag(named_server(kafka_settings), ["ledger", "other", "never-ran"], topics=topics)
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
        return set((await consumer_lag(named_server(kafka_settings), ["ledger", "other"], topics=topics)).values()) == {
            0
        }

    await until(level)


async def test_a_worker_tells_buyers_and_counts_sales(
    database: databases.Database, real_kafka: RunningKafka, kafka_settings: Settings, stores: Engines, tmp_path: Path
) -> None:
    """`onsale worker` with the product's own consumers and topics; a web process only relays."""
    with_files = kafka_settings.model_copy(update={"data": tmp_path})
    engines = Engines(kafka_settings.database_url, stores.redis_url)
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
            # The topics may hold what an earlier test relayed last.
            return uids <= {each.stem for each in (tmp_path / "mail").glob("*.eml")}

        await until(told)
        stop.set()
        assert await worker == 0
        await web.pipeline.stop()


async def test_brokers_that_ask_for_a_password(
    kafka_settings: Settings, running_kafka: RunningKafka, topics: Topics
) -> None:
    """As managed ones do: the same settings reach producers, consumers and administration."""
    if running_kafka.broker is None:
        pytest.skip("this broker has no such listener")
    asked = kafka_settings.model_copy(
        update={
            "kafka_bootstrap_servers": running_kafka.broker.sasl_servers,
            "kafka_security": "SASL_PLAINTEXT",
            "kafka_mechanism": "PLAIN",
            "kafka_user": SASL_USER,
            "kafka_password": SecretStr(SASL_PASSWORD),
        }
    )
    assert await consumer_lag(named_server(asked), ["ledger"], topics=topics) == {"ledger": 0}
    refused = asked.model_copy(update={"kafka_password": SecretStr("wrong")})
    with pytest.raises(KafkaError):
        await consumer_lag(named_server(refused), ["ledger"], topics=topics)


def test_certificates_that_cannot_be_read_are_told_in_one_line(kafka_settings: Settings, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    for name in (empty, tmp_path / "missing.pem"):
        wrong = kafka_settings.model_copy(update={"kafka_security": "SASL_SSL", "kafka_ca_file": str(name)})
        with pytest.raises(StartupError, match=f"ONSALE_KAFKA_CA_FILE: {name}"):
            client_options(named_server(wrong), "test")
