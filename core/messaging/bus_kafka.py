"""The bus of an installation with Kafka: an idempotent producer, keyed by reservation."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from core.messaging.bus import BusUnavailable, Deferral
from core.messaging.codec import Encoder
from core.messaging.outbox_postgres import OutboxRow
from core.messaging.reservation_message import EventInvalid
from core.messaging.retry import RetryPlan
from core.messaging.schema_registry_http import RegistryAway, RegistryRefused
from core.messaging.topics_kafka import KafkaServer, Topics, client_options, make_topics
from core.process.tasks import awaited, end, within

log = structlog.get_logger(__name__)

#: Message headers. The first names the one consumer that a repeated dead letter is for.
ONLY_FOR = "onsale-only-for"
UID = "onsale-event-uid"
TYPE = "onsale-event-type"

# A batch that the brokers have not acknowledged after this long is given back to the outbox.
_ACK_SECONDS = 30.0
# A value of more bytes than this has a request of its own.
_LARGE = 128 * 1024
# The process has other work as well: encoding so many takes about 2 ms.
_ROWS_AT_A_TIME = 100
_STOP_SECONDS = 5.0
_REQUEST_MS = 10_000


_Headers = list[tuple[str, bytes]]


class Producer:
    """An idempotent producer (acks from all in-sync replicas, no duplicates or gaps from its own retries) that is
    opened when it is first used, and replaced after a failure."""

    def __init__(self, server: KafkaServer, process: str) -> None:
        self._server = server
        self._process = process
        self._producer: AIOKafkaProducer | None = None
        # Batches that come at the same time get the same one: a second one would be nobody's to close.
        self._opening = asyncio.Lock()

    async def open(self) -> AIOKafkaProducer:
        """Raises KafkaError."""
        async with self._opening:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **client_options(self._server, self._process),
                    enable_idempotence=True,
                    acks="all",
                    linger_ms=2,
                    request_timeout_ms=_REQUEST_MS,
                    max_batch_size=256 * 1024,
                )
                try:
                    await producer.start()
                except BaseException:
                    await _abandon(producer)
                    raise
                self._producer = producer
            return self._producer

    async def discard(self) -> None:
        """After a failure: what this producer still has in its hands must not be sent behind the outbox's back, and
        its sequence numbers may have a gap. The next one gets an identity of its own."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _abandon(producer)

    async def stop(self) -> None:
        """Sends what is under way, but does not wait for brokers that are away."""
        producer, self._producer = self._producer, None
        if producer is not None:
            stopping = awaited("kafka producer stop", producer.stop())
            done, _ = await asyncio.wait([stopping], timeout=_STOP_SECONDS)
            if not done:
                await _abandon(producer)
            await end(stopping)


async def _abandon(producer: AIOKafkaProducer) -> None:
    # aiokafka's `stop` waits without limit for undelivered batches; there is no public way to give them up.
    producer._message_accumulator.fail_all(KafkaError("given back to the outbox"))
    with contextlib.suppress(Exception):
        await within(_STOP_SECONDS, "kafka producer stop", producer.stop())


class KafkaBus:
    """Takes a row when all in-sync replicas have it. Rows that cannot be encoded, or are too large, are deferred and
    end as dead letters of the relay."""

    name = "kafka"
    # One is encoded while the brokers write the other.
    at_once = 2

    def __init__(
        self, *, server: KafkaServer, encoder: Encoder, retries: RetryPlan, process: str, topics: Topics | None = None
    ) -> None:
        self._server = server
        self._encoder = encoder
        self._retries = retries
        self._process = process
        self._topics = topics or Topics()
        self._producer = Producer(server, f"{process}-relay")
        self._ready = False

    async def start(self) -> None:
        """Nothing yet: brokers that are away must not keep a process from selling."""

    async def stop(self) -> None:
        await self._producer.stop()

    async def publish(self, rows: Sequence[OutboxRow]) -> Mapping[int, Deferral]:
        try:
            async with asyncio.timeout(_ACK_SECONDS):
                return await self._publish(rows)
        except (KafkaError, OSError, RegistryAway, RegistryRefused) as error:
            await self._producer.discard()
            raise BusUnavailable(f"{type(error).__name__}: {error}") from error
        except BaseException:
            await self._producer.discard()
            raise

    async def _publish(self, rows: Sequence[OutboxRow]) -> Mapping[int, Deferral]:
        if not self._ready:
            await make_topics(self._server, self._topics, self._process)
            await self._encoder.start()
            self._ready = True
        producer = await self._producer.open()
        deferred: dict[int, Deferral] = {}
        topic = self._topics.reservations
        batches = _Batches(producer, topic, await producer.partitions_for(topic))
        alone: dict[int, asyncio.Future[Any]] = {}
        for count, row in enumerate(rows, start=1):
            try:
                value = row.raw if row.raw is not None else self._encode(row)
                if len(value) > _LARGE:
                    alone[row.id] = await batches.send_alone(_key(row), value, headers_of(row))
                else:
                    await batches.add(_key(row), value, headers_of(row))
            except (EventInvalid, MessageSizeTooLargeError) as error:
                deferred[row.id] = self._unsendable(row, error)
            if not count % _ROWS_AT_A_TIME:
                await asyncio.sleep(0)
        await batches.acknowledged()
        for row in rows:
            if row.id in alone:
                try:
                    await alone[row.id]
                except MessageSizeTooLargeError as error:
                    deferred[row.id] = self._unsendable(row, error)
        return deferred

    def _unsendable(self, row: OutboxRow, error: Exception) -> Deferral:
        return Deferral(self._retries.pause(row.attempts), f"cannot be sent: {error or type(error).__name__}")

    def _encode(self, row: OutboxRow) -> bytes:
        return self._encoder.encode_row(row.event_uid, row.type, row.reservation_id, row.payload)


class _Batches:
    """Messages gathered by partition, each partition's sent as one batch.

    `AIOKafkaProducer.send` costs a task's turn and a future for each message, half of what a row costs in all. The
    partition is the one that it would choose: whoever sends, a reservation's messages are in one.
    """

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: Collection[int]) -> None:
        self._producer = producer
        self._topic = topic
        self._partitions = sorted(partitions)
        self._open: dict[int, BatchBuilder] = {}
        self._sent: list[asyncio.Future[Any]] = []

    async def add(self, key: bytes, value: bytes, headers: _Headers) -> None:
        partition = self._partitions[_bucket(key, len(self._partitions))]
        batch = self._open.get(partition)
        if batch is None or batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
            if batch is not None:
                await self._send(batch, partition)
            batch = self._open[partition] = self._producer.create_batch()
            batch.append(timestamp=None, key=key, value=value, headers=headers)

    async def send_alone(self, key: bytes, value: bytes, headers: _Headers) -> asyncio.Future[Any]:
        """So that brokers that find it too large refuse it alone. Raises MessageSizeTooLargeError."""
        sent: asyncio.Future[Any] = await self._producer.send(self._topic, value, key=key, headers=headers)
        return sent

    async def acknowledged(self) -> None:
        """Sends what is gathered, and waits for the brokers to have all of it."""
        for partition, batch in self._open.items():
            await self._send(batch, partition)
        self._open.clear()
        await asyncio.gather(*self._sent)

    async def _send(self, batch: BatchBuilder, partition: int) -> None:
        self._sent.append(await self._producer.send_batch(batch, self._topic, partition=partition))


# A reservation's next row comes soon after its first, and the hash is a loop in Python.
@functools.lru_cache(maxsize=8192)
def _bucket(key: bytes, partitions: int) -> int:
    buckets = range(partitions)
    chosen: int = DefaultPartitioner()(key, buckets, buckets)
    return chosen


def _key(row: OutboxRow) -> bytes:
    return str(row.reservation_id).encode()


def headers_of(row: OutboxRow) -> _Headers:
    """Of a row's message."""
    headers: _Headers = []
    if row.raw is None:
        # Nobody knows the uid and the type of a message that could not be read.
        headers += [(UID, str(row.event_uid).encode()), (TYPE, row.type.encode())]
    if row.only_for:
        headers.append((ONLY_FOR, row.only_for.encode()))
    return headers
