"""A consumer on Kafka: each message once, bounded tries with pauses, then the dead-letter topic."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import databases
from aiokafka import ConsumerRecord

from core.events.bus_kafka import ONLY_FOR, TYPE
from core.events.codec import Decoder
from core.events.consumer import Consumer, DependencyAway
from core.events.dead_letters_kafka import DeadLetterTopic
from core.events.delivery_postgres import deliver
from core.events.group_kafka import Progress
from core.events.reservation_event import EventInvalid, ReservationEvent
from core.events.retry import RetryPlan


class EventHandler:
    """Hands a partition's messages to one consumer.

    Tries are counted in this process: after a restart a failing message has all of them again. A message that cannot
    be read never gets better, and is a dead letter at once.
    """

    def __init__(
        self, *, database: databases.Database, consumer: Consumer, decoder: Decoder, dead: DeadLetterTopic,
        retries: RetryPlan,
    ) -> None:  # fmt: skip
        self._database = database
        self._consumer = consumer
        self._decoder = decoder
        self._dead = dead
        self._retries = retries
        self._tried: dict[UUID, int] = {}

    async def __call__(self, records: Sequence[ConsumerRecord]) -> Progress:
        events: list[ReservationEvent] = []
        where: dict[UUID, ConsumerRecord] = {}
        stuck: dict[int, float] = {}
        for record in records:
            type_, only_for = header(record, TYPE), header(record, ONLY_FOR)
            if (type_ and type_ not in self._consumer.types) or only_for not in ("", self._consumer.name):
                continue
            try:
                event = await self._decoder.decode(record.value, only_for=only_for)
            except DependencyAway:
                # The registry: what comes behind this message waits with it, to keep the order.
                stuck[record.offset] = self._retries.away_seconds
                break
            except EventInvalid as error:
                await self._bury(record, error, tried=1)
                continue
            events.append(event)
            # Delivered twice in one batch (a relay died between send and mark): judged by the first.
            where.setdefault(event.uid, record)
        delivery = await deliver(self._database, self._consumer, events)
        for uid, failure in delivery.failed.items():
            tried = self._tried.get(uid, 0) + 1
            if self._retries.exhausted(tried):
                await self._bury(where[uid], failure, tried=tried)
                self._tried.pop(uid, None)
            else:
                self._tried[uid] = tried
                stuck[where[uid].offset] = self._retries.pause(tried)
        for uid in delivery.away:
            stuck[where[uid].offset] = self._retries.away_seconds
        for uid in delivery.held:
            # Behind a failed one that may have been buried a moment ago: then it can go at once.
            stuck.setdefault(where[uid].offset, 0.0)
        for uid in where.keys() - delivery.failed.keys() - delivery.away.keys() - delivery.held:
            self._tried.pop(uid, None)
        if not stuck:
            return Progress()
        return Progress(min(stuck), stuck[min(stuck)])

    async def _bury(self, record: ConsumerRecord, error: Exception, *, tried: int) -> None:
        await self._dead.send(record, consumer=self._consumer.name, error=error, tried=tried)


def header(record: ConsumerRecord, name: str) -> str:
    """The last header of that name (a repeated dead letter's is the newest), or an empty string."""
    values = [value for key, value in record.headers if key == name]
    return values[-1].decode(errors="replace") if values and values[-1] is not None else ""
