"""Relay and consumer against a bare aiokafka producer and consumer, on one real Kafka in one run.

    producer  each event to Avro by fastavro, and `send`, in batches of the relay's size, all of a batch awaited:
              idempotent, acks from all replicas; once more with ready bytes, which shows what Avro costs
    relay     claim, encode, send, mark, on the outbox of a sale: each reservation is being paid for, then confirmed
    consumer  `getmany`, each message from Avro by fastavro, and a commit for each batch; once more without Avro
    sales     the same messages through a group: decoded, marked as processed and counted in PostgreSQL, committed

Both sides of a pair are one process on one event loop, send or read the same bytes (key, value and headers of the
same outbox rows) with the same batch sizes, and take turns; the median of each side's rounds counts. The bare producer
has its events as records that fastavro takes as they are: it reads, parses and marks nothing; the bare consumer drops
what it has decoded. The broker and, on our
side, PostgreSQL work on the same machine. A round begins when all are connected and joined, and ends when the last
message is acknowledged and marked, or its effect is committed.

`python -m bench.events` is `python -m bench events`. `KAFKA_BOOTSTRAP_SERVERS` names a broker; without it one is
started.
"""

from __future__ import annotations

import asyncio
import io
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import fastavro
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.measure import Figure, Round, Stopwatch, alternate, median_cpu, median_wall
from core.database import raw
from core.messaging.bus_kafka import KafkaBus, headers_of
from core.messaging.codec import Decoder, Encoder, record_of, versions
from core.messaging.composition import named_server
from core.messaging.consumer_kafka import EventHandler
from core.messaging.dead_letters_kafka import DeadLetterTopic
from core.messaging.group_kafka import Batches, KafkaGroup, Progress
from core.messaging.in_hand_postgres import InHand
from core.messaging.outbox_postgres import Outbox, OutboxClaim, OutboxRow
from core.messaging.relay import Relay, RelayPace
from core.messaging.reservation_message import parse
from core.messaging.retry import RetryPlan
from core.messaging.sales_projection_postgres import SalesProjection
from core.messaging.topics_kafka import Topics, make_topics
from core.runtime import Runtime
from core.settings import Settings

_EVENTS: Final = 30_000
_RETRIES: Final = RetryPlan(3)
_RECORDS: Final = 2000
_PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Message:
    """As it is in Kafka, and as what it is made of: `record` is what fastavro writes."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    record: dict[str, Any]

    def encoded(self) -> bytes:
        buffer = io.BytesIO()
        buffer.write(self.value[:10])  # the marker of the schema
        fastavro.schemaless_writer(buffer, versions()[-1].parsed, self.record)
        return buffer.getvalue()


async def events(runtime: Runtime, *, rounds: int = 7) -> list[Figure]:
    """Relay and sales consumer, each beside its limit."""
    # Needed here alone, and only by those who have the packages of development.
    from tests.kafka_broker import kafka

    with kafka() as broker:
        settings = runtime.settings.model_copy(update={"kafka_bootstrap_servers": broker.bootstrap_servers})
        return await _Comparison(runtime, settings, await _event_id(runtime)).figures(rounds)


class _Comparison:
    """Each round of the relay fills a topic, from which both consumers of that round read."""

    def __init__(self, runtime: Runtime, settings: Settings, event_id: int) -> None:
        self._database, self._settings, self._event_id = runtime.database, settings, event_id
        self._kafka = named_server(settings)

    async def figures(self, rounds: int) -> list[Figure]:
        self._bare_topics = await self._topics("bare")
        await self._relayed()  # warms caches and plans, and is what the consumers read
        limit, ready, ours = await alternate(rounds, self._bare_producer, self._ready_bytes, self._relayed)
        reading_limit, unread, reading = await alternate(rounds, self._bare_consumer, self._unread_bytes, self._sales)
        return [
            _figure("outbox rows relayed to Kafka", ours, limit, "a bare producer, the same events"),
            _figure("rows relayed, Avro not in the limit", ours, ready, "a bare producer, ready bytes", aim=None),
            _figure("messages consumed (sales figures)", reading, reading_limit, "a bare consumer, the same events"),
            _figure(
                "messages consumed, Avro not in the limit", reading, unread, "a bare consumer, unread bytes", aim=None
            ),
        ]

    async def _topics(self, name: str) -> Topics:
        unique = f"{name}-{secrets.token_hex(3)}"
        topics = Topics(f"{unique}.reservations", f"{unique}.dlq", unique)
        await make_topics(self._kafka, topics, "bench")
        return topics

    async def _bare_producer(self) -> Round:
        return await self._produced(_Message.encoded)

    async def _ready_bytes(self) -> Round:
        return await self._produced(lambda message: message.value)

    async def _produced(self, value: Callable[[_Message], bytes]) -> Round:
        topic, batch = self._bare_topics.reservations, self._settings.kafka_batch
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            enable_idempotence=True,
            acks="all",
            linger_ms=2,
            max_batch_size=256 * 1024,
        )
        async with producer:
            first, *others = self._messages
            assert first.encoded() == first.value
            await producer.send_and_wait(topic, first.value, key=first.key, headers=first.headers)
            with Stopwatch() as watch:
                for start in range(0, len(others), batch):
                    await asyncio.gather(
                        *[
                            await producer.send(topic, value(one), key=one.key, headers=one.headers)
                            for one in others[start : start + batch]
                        ]
                    )
        return watch.round(len(others))

    async def _relayed(self) -> Round:
        self._relayed_topics = topics = await self._topics("relayed")
        self._messages = await self._write_rows()
        outbox = _CountedOutbox(self._database, _EVENTS)
        bus = KafkaBus(server=self._kafka, encoder=Encoder(), retries=_RETRIES, process="bench", topics=topics)
        relay = Relay(
            outbox=outbox,
            bus=bus,
            retries=_RETRIES,
            pace=RelayPace(
                self._settings.kafka_batch, idle_seconds=1, lease_seconds=self._settings.outbox_lease_seconds
            ),
        )
        first = await relay.step()
        with Stopwatch() as watch:
            running = asyncio.create_task(relay.run())
            await outbox.all_sent.wait()
        relay.stop()
        await running
        await bus.stop()
        return watch.round(_EVENTS - first)

    async def _write_rows(self) -> list[_Message]:
        """An outbox as checkout leaves it behind, and its rows as messages."""
        from tests.outbox_rows import payload

        rows = [
            (each, f"reservation.{step}", payload(each, event_id=self._event_id))
            for each in (uuid.uuid4() for _ in range(_EVENTS // 2))
            for step in ("paying", "confirmed")
        ]
        async with raw(self._database) as connection:
            await connection.executemany(
                "INSERT INTO outbox (reservation_id, type, payload) VALUES ($1, $2, $3)", rows, timeout=_PATIENCE
            )
            # What autovacuum would have done by the time that a real table has grown to this.
            await connection.execute("VACUUM ANALYZE outbox", timeout=_PATIENCE)
            await connection.execute("VACUUM ANALYZE processed_events", timeout=_PATIENCE)
            unsent = await connection.fetch(
                "SELECT id, event_uid, reservation_id, type, payload, attempts, only_for, raw FROM outbox "
                "WHERE sent_at IS NULL ORDER BY id",
                timeout=_PATIENCE,
            )
        encoder = Encoder()
        return [
            _Message(str(row.reservation_id).encode(), encoder.encode(event), headers_of(row), record_of(event))
            for row in (OutboxRow(*record.values()) for record in unsent)
            for event in [parse(row.event_uid, row.type, row.payload)]
        ]

    async def _bare_consumer(self) -> Round:
        schema = versions()[-1].parsed

        def decoded(value: bytes) -> None:
            fastavro.schemaless_reader(io.BytesIO(value[10:]), schema, schema)

        return await self._consumed(decoded)

    async def _unread_bytes(self) -> Round:
        return await self._consumed(lambda value: None)

    async def _consumed(self, take: Callable[[bytes], None]) -> Round:
        consumer = AIOKafkaConsumer(
            self._relayed_topics.reservations,
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            group_id=f"bare-{secrets.token_hex(3)}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=_RECORDS,
        )
        async with consumer:
            seen, watch = 0, Stopwatch()
            while seen < _EVENTS:
                batches = await consumer.getmany(timeout_ms=500, max_records=_RECORDS)
                if not batches:
                    continue
                if not seen:
                    watch.__enter__()
                for records in batches.values():
                    for record in records:
                        take(record.value)
                    seen += len(records)
                await consumer.commit()
            watch.__exit__()
        return watch.round(_EVENTS)

    async def _sales(self) -> Round:
        topics = self._relayed_topics
        await self._forget()
        group_name = f"sales-{secrets.token_hex(3)}"
        handler = EventHandler(
            database=self._database,
            consumer=SalesProjection(),
            decoder=Decoder(),
            retries=_RETRIES,
            dead=DeadLetterTopic(server=self._kafka, topics=topics, process="bench"),
            in_hand=InHand(self._database, group=group_name),
        )
        finished = asyncio.Event()
        seen, watch = 0, Stopwatch()

        async def counted(batches: Batches) -> dict[TopicPartition, Progress]:
            nonlocal seen
            if not seen:
                watch.__enter__()
            progress = await handler(batches)
            seen += sum(map(len, batches.values()))
            if seen >= _EVENTS:
                finished.set()
            return progress

        group = KafkaGroup(
            server=self._kafka,
            topic=topics.reservations,
            group=group_name,
            process="bench",
            handler=counted,
            retries=_RETRIES,
            records=_RECORDS,
        )
        running = asyncio.create_task(group.run())
        await finished.wait()
        watch.__exit__()
        group.stop()
        await running
        return watch.round(_EVENTS)

    async def _forget(self) -> None:
        async with raw(self._database) as connection:
            await connection.execute("TRUNCATE processed_events", timeout=_PATIENCE)


class _CountedOutbox(Outbox):
    def __init__(self, database: Any, rows: int) -> None:
        super().__init__(database, process="bench")
        self._left = rows
        self.all_sent = asyncio.Event()

    async def mark_sent(self, claim: OutboxClaim, ids: Sequence[int]) -> int:
        marked = await super().mark_sent(claim, ids)
        self._left -= marked
        if self._left <= 0:
            self.all_sent.set()
        return marked


def _figure(name: str, ours: list[Round], limit: list[Round], limit_is: str, aim: float | None = 0.5) -> Figure:
    return Figure(
        name,
        median_wall(ours),
        "/s",
        median_wall(limit),
        limit_is,
        aim=aim,
        detail={
            "cpu_us_each": 1e6 / median_cpu(ours),
            "limit_cpu_us_each": 1e6 / median_cpu(limit),
            "rounds": [round(one.count / one.wall) for one in ours],
            "limit_rounds": [round(one.count / one.wall) for one in limit],
        },
    )


async def _event_id(runtime: Runtime) -> int:
    from bench.stores import event_of

    return (await event_of(runtime, 10)).id


if __name__ == "__main__":
    from bench.measure import Effort
    from bench.run import run

    run(["events"], effort=Effort())
