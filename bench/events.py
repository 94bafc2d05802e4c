"""Relay and consumer as ratios to a bare aiokafka producer and consumer, on one real Kafka in one run.

`python -m bench.events [--events N]`. Compare ratios, not figures: both sides share the machine with the broker and,
on the Onsale side, with PostgreSQL.

    producer  `send` of encoded messages in batches of the relay's size, idempotent, acks from all
    relay     claim, encode, send, mark, on the outbox of a sale: each reservation is being paid for, then confirmed
    consumer  `getmany` and a commit for each batch
    sales     the same through a group, with marks and figures in PostgreSQL
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import databases
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from core.database import migrate, open_database, raw
from core.embedded import engines
from core.events.bus_kafka import KafkaBus
from core.events.codec import Decoder, Encoder
from core.events.consumer_kafka import EventHandler
from core.events.dead_letters_kafka import DeadLetterTopic
from core.events.group_kafka import KafkaGroup, Progress
from core.events.outbox_postgres import Outbox
from core.events.relay import Relay
from core.events.reservation_event import parse
from core.events.retry import RetryPlan
from core.events.sales_projection_postgres import SalesProjection
from core.events.topics_kafka import Topics, make_topics
from core.settings import Settings
from tests.kafka_broker import kafka
from tests.outbox_rows import payload

_RETRIES = RetryPlan(3)


def _topics(name: str) -> Topics:
    unique = f"{name}-{secrets.token_hex(3)}"
    return Topics(f"{unique}.reservations", f"{unique}.dlq", unique)


async def bare_producer(settings: Settings, count: int) -> float:
    """Messages a second."""
    topics = _topics("bare")
    await make_topics(settings, topics, "bench")
    encoder = Encoder()
    ids = [uuid.uuid4() for _ in range(count)]
    values = [encoder.encode(parse(uuid.uuid4(), "reservation.confirmed", payload(each))) for each in ids]
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, enable_idempotence=True, acks="all", linger_ms=2,
        max_batch_size=256 * 1024,
    )  # fmt: skip
    async with producer:
        await producer.send_and_wait(topics.reservations, values[0])
        began = time.perf_counter()
        for start in range(0, count, settings.outbox_batch):
            end = start + settings.outbox_batch
            await asyncio.gather(*[
                await producer.send(topics.reservations, value, key=str(id_).encode())
                for id_, value in zip(ids[start:end], values[start:end], strict=True)
            ])  # fmt: skip
        return count / (time.perf_counter() - began)


async def relay(settings: Settings, database: databases.Database, topics: Topics, event_id: int, count: int) -> float:
    """Outbox rows a second; the first batch, which looks up topics and connects, is not counted."""
    async with raw(database) as connection:
        rows = [
            (each, f"reservation.{step}", payload(each, event_id=event_id))
            for each in (uuid.uuid4() for _ in range(count // 2))
            for step in ("paying", "confirmed")
        ]
        await connection.executemany("INSERT INTO outbox (reservation_id, type, payload) VALUES ($1, $2, $3)", rows)
        await connection.execute("ANALYZE outbox")
    bus = KafkaBus(settings=settings, encoder=Encoder(), retries=_RETRIES, process="bench", topics=topics)
    one = Relay(
        outbox=Outbox(database, process="bench"), bus=bus, retries=_RETRIES, batch=settings.outbox_batch,
        idle_seconds=1, lease_seconds=settings.outbox_lease_seconds,
    )  # fmt: skip
    first = await one.step()
    began = time.perf_counter()
    running = asyncio.create_task(one.run())
    outbox = Outbox(database, process="bench")
    while (await outbox.lag()).unsent:
        await asyncio.sleep(0.02)
    rate = (count - first) / (time.perf_counter() - began)
    one.stop()
    await running
    await bus.stop()
    return rate


async def bare_consumer(settings: Settings, topics: Topics, count: int) -> float:
    """Messages a second, from the first one on."""
    consumer = AIOKafkaConsumer(
        topics.reservations, bootstrap_servers=settings.kafka_bootstrap_servers, group_id=topics.group("bare"),
        enable_auto_commit=False, auto_offset_reset="earliest", max_poll_records=500,
    )  # fmt: skip
    async with consumer:
        seen, began = 0, 0.0
        while seen < count:
            batches = await consumer.getmany(timeout_ms=500, max_records=500)
            began = began or (time.perf_counter() if batches else 0.0)
            seen += sum(map(len, batches.values()))
            if batches:
                await consumer.commit()
        return seen / (time.perf_counter() - began)


async def sales_consumer(settings: Settings, database: databases.Database, topics: Topics, count: int) -> float:
    """Messages a second, from the first one on, until their effect is committed."""
    handler = EventHandler(
        database=database, consumer=SalesProjection(), decoder=Decoder(), retries=_RETRIES,
        dead=DeadLetterTopic(settings=settings, topics=topics, process="bench"),
    )  # fmt: skip
    finished = asyncio.Event()
    seen, began = 0, 0.0

    async def counted(records: Sequence[ConsumerRecord]) -> Progress:
        nonlocal seen, began
        began = began or time.perf_counter()
        progress = await handler(records)
        seen += len(records)
        if seen >= count:
            finished.set()
        return progress

    group = KafkaGroup(
        settings=settings, topic=topics.reservations, group=topics.group("sales"), process="bench", handler=counted,
        retries=_RETRIES,
    )  # fmt: skip
    running = asyncio.create_task(group.run())
    await finished.wait()
    rate = seen / (time.perf_counter() - began)
    group.stop()
    await running
    return rate


async def measure(settings: Settings, count: int) -> dict[str, float]:
    """Rates a second, and the two ratios."""
    await migrate(settings.database_url)
    database = await open_database(settings.database_url, 10)
    async with raw(database) as connection:
        event_id = await connection.fetchval(
            "INSERT INTO events (slug, name, currency, prices, active_limit, hold_seconds, max_seats, plan, "
            "plan_digest, seat_count) VALUES ($1, 'bench', 'KRW', '{}', 1, 1, 1, '{}', '', 0) RETURNING id",
            f"bench-{secrets.token_hex(4)}",
        )
    topics = _topics("bench")
    try:
        result = {
            "producer": await bare_producer(settings, count),
            "relay": await relay(settings, database, topics, event_id, count),
            "consumer": await bare_consumer(settings, topics, count),
            "sales": await sales_consumer(settings, database, topics, count),
        }
    finally:
        await database.disconnect()
    ratios = {"relay_ratio": result["relay"] / result["producer"], "sales_ratio": result["sales"] / result["consumer"]}
    return result | ratios


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--events", type=int, default=10_000)
    count = arguments.parse_args().events
    with tempfile.TemporaryDirectory() as folder, kafka() as broker:
        given = Settings.load(data=Path(folder), database_url="", redis_url="")
        with engines(given, durable=False) as started:
            settings = Settings.load(
                data=Path(folder), database_url=started.database_url,
                kafka_bootstrap_servers=broker.bootstrap_servers,
            )  # fmt: skip
            print(json.dumps({name: round(value, 2) for name, value in asyncio.run(measure(settings, count)).items()}))


if __name__ == "__main__":
    main()
