"""The bus of an installation with Kafka: an idempotent producer, keyed by reservation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from core.events.bus import BusUnavailable, Deferral
from core.events.codec import Encoder
from core.events.outbox_postgres import OutboxRow
from core.events.reservation_event import EventInvalid, parse
from core.events.retry import RetryPlan
from core.events.schema_registry_http import RegistryAway, RegistryRefused
from core.events.topics_kafka import Topics, client_options, make_topics
from core.settings import Settings

log = structlog.get_logger(__name__)

#: Message headers. The first names the one consumer that a repeated dead letter is for.
ONLY_FOR = "onsale-only-for"
UID = "onsale-event-uid"
TYPE = "onsale-event-type"

# A batch that the brokers have not acknowledged after this long is given back to the outbox.
_ACK_SECONDS = 30.0
_STOP_SECONDS = 5.0
_REQUEST_MS = 10_000


class Producer:
    """An idempotent producer (acks from all in-sync replicas, no duplicates or gaps from its own retries) that is
    opened when it is first used, and replaced after a failure."""

    def __init__(self, settings: Settings, process: str) -> None:
        self._settings = settings
        self._process = process
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> AIOKafkaProducer:
        """Raises KafkaError."""
        if self._producer is None:
            producer = AIOKafkaProducer(
                **client_options(self._settings, self._process), enable_idempotence=True, acks="all", linger_ms=2,
                request_timeout_ms=_REQUEST_MS, max_batch_size=256 * 1024,
            )  # fmt: skip
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
            stopping = asyncio.create_task(producer.stop())
            done, _ = await asyncio.wait([stopping], timeout=_STOP_SECONDS)
            if not done:
                await _abandon(producer)
                await asyncio.gather(stopping, return_exceptions=True)


async def _abandon(producer: AIOKafkaProducer) -> None:
    # aiokafka's `stop` waits without limit for undelivered batches; there is no public way to give them up.
    producer._message_accumulator.fail_all(KafkaError("given back to the outbox"))
    with contextlib.suppress(Exception):
        await producer.stop()


class KafkaBus:
    """Takes a row when all in-sync replicas have it. Rows that cannot be encoded, or are too large, are deferred and
    end as dead letters of the relay."""

    name = "kafka"

    def __init__(
        self, *, settings: Settings, encoder: Encoder, retries: RetryPlan, process: str, topics: Topics | None = None
    ) -> None:
        self._settings = settings
        self._encoder = encoder
        self._retries = retries
        self._process = process
        self._topics = topics or Topics()
        self._producer = Producer(settings, f"{process}-relay")
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
            await make_topics(self._settings, self._topics, self._process)
            await self._encoder.start()
            self._ready = True
        producer = await self._producer.open()
        deferred: dict[int, Deferral] = {}
        acknowledged = []
        for row in rows:
            try:
                value = row.raw if row.raw is not None else self._encode(row)
                acknowledged.append(
                    await producer.send(
                        self._topics.reservations, value, key=str(row.reservation_id).encode(), headers=_headers(row)
                    )
                )
            except (EventInvalid, MessageSizeTooLargeError) as error:
                deferred[row.id] = Deferral(self._retries.pause(row.attempts), f"cannot be sent: {error}")
        await asyncio.gather(*acknowledged)
        return deferred

    def _encode(self, row: OutboxRow) -> bytes:
        return self._encoder.encode(parse(row.event_uid, row.type, row.payload))


def _headers(row: OutboxRow) -> list[tuple[str, Any]]:
    headers: list[tuple[str, Any]] = []
    if row.raw is None:
        # Nobody knows the uid and the type of a message that could not be read.
        headers += [(UID, str(row.event_uid).encode()), (TYPE, row.type.encode())]
    if row.only_for:
        headers.append((ONLY_FOR, row.only_for.encode()))
    return headers
