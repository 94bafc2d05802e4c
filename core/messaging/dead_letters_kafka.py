"""The dead-letter topic: what a consumer on Kafka gave up, as it was, with the reason in headers.

A consumer group of its own copies the topic into the table `dead_letters`, from which operators list and send again.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from core.messaging.bus_kafka import ONLY_FOR, TYPE, UID, Producer
from core.messaging.codec import Decoder
from core.messaging.dead_letters_postgres import DeadLetters
from core.messaging.group_kafka import Batches, Progress
from core.messaging.reservation_message import EventInvalid, ReservationMessage, payload_of
from core.messaging.topics_kafka import KafkaServer, Topics

log = structlog.get_logger(__name__)

#: Headers of a dead letter: whose it is, where it was, why, how often it was tried.
CONSUMER = "onsale-dead-consumer"
SOURCE = "onsale-dead-source"
ERROR = "onsale-dead-error"
TRIED = "onsale-dead-tries"
#: On a message that killed those who handled it: whoever lists dead letters does not look into it.
UNREAD = "onsale-dead-unread"
_OWN = {CONSUMER, SOURCE, ERROR, TRIED, UNREAD, ONLY_FOR}

#: The group that copies the topic into the table.
KEEPER = "dead-letters"
_ACK_SECONDS = 30.0


class DeadLetterTopic:
    """Shared by the consumers of a process."""

    def __init__(self, *, server: KafkaServer, topics: Topics, process: str) -> None:
        self._topic = topics.dead_letters
        self._producer = Producer(server, f"{process}-dead")
        self._gate = asyncio.Lock()

    async def send(
        self, record: ConsumerRecord, *, consumer: str, error: Exception, tried: int, unread: bool = False
    ) -> None:
        """Returns when the brokers have it; the message may then be passed over. Raises KafkaError or TimeoutError."""
        headers: list[tuple[str, Any]] = [(key, value) for key, value in record.headers if key not in _OWN]
        headers += [
            (CONSUMER, consumer.encode()),
            (SOURCE, f"{record.topic}/{record.partition}/{record.offset}".encode()),
            (ERROR, f"{type(error).__name__}: {error}"[:2000].encode()),
            (TRIED, str(tried).encode()),
        ]
        if unread:
            headers.append((UNREAD, b"1"))
        async with self._gate:
            try:
                async with asyncio.timeout(_ACK_SECONDS):
                    producer = await self._producer.open()
                    await producer.send_and_wait(self._topic, record.value, key=record.key, headers=headers)
            except BaseException:
                await self._producer.discard()
                raise
        log.error(
            "dead letter",
            consumer=consumer,
            source=f"{record.topic}/{record.partition}/{record.offset}",
            tried=tried,
            error=repr(error),
        )

    async def stop(self) -> None:
        await self._producer.stop()


class DeadLetterKeeper:
    """Writes dead letters into the table; the same one again changes nothing."""

    def __init__(self, *, letters: DeadLetters, decoder: Decoder) -> None:
        self._letters = letters
        self._decoder = decoder

    async def __call__(self, batches: Batches) -> dict[TopicPartition, Progress]:
        for records in batches.values():
            for record in records:
                await self._keep(record)
        return {}

    async def _keep(self, record: ConsumerRecord) -> None:
        headers = {key: (value or b"").decode(errors="replace") for key, value in record.headers}
        event = None if UNREAD in headers else await self._event(record)
        await self._letters.bury(
            consumer=headers.get(CONSUMER, "unknown"),
            source=headers.get(SOURCE, f"{record.topic}/{record.partition}/{record.offset}"),
            error=headers.get(ERROR, ""),
            attempts=int(headers[TRIED]) if headers.get(TRIED, "").isdigit() else 0,
            event_uid=event.uid if event else _uuid(headers.get(UID)),
            reservation_id=event.reservation_id if event else _uuid((record.key or b"").decode(errors="replace")),
            type_=event.type if event else headers.get(TYPE),
            payload=payload_of(event) if event else None,
            raw_message=None if event else record.value,
        )

    async def _event(self, record: ConsumerRecord) -> ReservationMessage | None:
        try:
            return await self._decoder.decode(record.value)
        except EventInvalid:
            return None


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text)
    except (ValueError, TypeError):
        return None
