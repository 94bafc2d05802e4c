"""A consumer on Kafka: each message once, bounded tries with pauses, then the dead-letter topic."""

from __future__ import annotations

from uuid import UUID

import databases
import structlog
from aiokafka import ConsumerRecord, TopicPartition

from core.messaging.bus_kafka import ONLY_FOR, TYPE
from core.messaging.codec import Decoder
from core.messaging.consumer import Consumer, DependencyAway
from core.messaging.dead_letters_kafka import DeadLetterTopic
from core.messaging.delivery_postgres import TimeBudget, deliver
from core.messaging.group_kafka import Batches, Progress
from core.messaging.in_hand_postgres import InHand
from core.messaging.reservation_message import EventInvalid, ReservationMessage
from core.messaging.retry import RetryPlan

log = structlog.get_logger(__name__)


class ProcessDied(Exception):
    """Processes ended while they had this message, and no other, in hand."""


class EventHandler:
    """Hands the messages of a group's partitions to one consumer.

    Tries that fail are counted in this process: after a restart a failing message has all of them again. Tries that the
    process does not survive are counted in PostgreSQL. Where one is found, messages are handled one at a time until
    those that the dead process had in hand are done; the one that kills is a dead letter when its tries are used up.
    A message that cannot be read never gets better, and is a dead letter at once.
    """

    def __init__(
        self,
        *,
        database: databases.Database,
        consumer: Consumer,
        decoder: Decoder,
        dead: DeadLetterTopic,
        retries: RetryPlan,
        in_hand: InHand,
        budget: TimeBudget | None = None,
    ) -> None:
        self._database = database
        self._consumer = consumer
        self._decoder = decoder
        self._dead = dead
        self._retries = retries
        self._in_hand = in_hand
        self._budget = budget
        self._tried: dict[UUID, int] = {}
        # Up to this offset a dead process had the partition's messages in hand.
        self._suspect: dict[TopicPartition, int] = {}

    async def __call__(self, batches: Batches) -> dict[TopicPartition, Progress]:
        past = await self._in_hand.take(batches)
        if self._suspect or any(each.suspect for each in past.values()):
            for tp, each in past.items():
                if each.suspect:
                    self._suspect.setdefault(tp, each.last)
            behind = [tp for tp, records in batches.items() if records[0].offset > self._suspect.get(tp, -1)]
            for tp in behind:
                self._suspect.pop(tp, None)
            if len(behind) < len(batches):
                return await self._carefully(batches)
        progress = await self._handle(batches)
        if progress:
            await self._in_hand.put_down(list(progress))
        return progress

    async def _carefully(self, batches: Batches) -> dict[TopicPartition, Progress]:
        """One message; it alone is in hand meanwhile. All others wait for their turn."""
        await self._in_hand.put_down(list(batches))
        progress = {tp: Progress(records[0].offset) for tp, records in batches.items()}
        chosen = min(batches.keys() & self._suspect.keys())
        record = batches[chosen][0]
        deaths = (await self._in_hand.take({chosen: [record]}))[chosen].deaths
        log.warning(
            "message suspected",
            consumer=self._consumer.name,
            partition=chosen.partition,
            offset=record.offset,
            deaths=deaths,
        )
        if self._retries.exhausted(deaths):
            error = ProcessDied(f"{deaths} processes, one after the other, died with this message in hand")
            await self._dead.send(record, consumer=self._consumer.name, error=error, tried=deaths, unread=True)
        else:
            stuck = await self._handle({chosen: [record]})
            if stuck:
                await self._in_hand.put_down([chosen])
                return progress | stuck
        if len(batches[chosen]) > 1:
            progress[chosen] = Progress(batches[chosen][1].offset)
        else:
            del progress[chosen]
        return progress

    async def _handle(self, batches: Batches) -> dict[TopicPartition, Progress]:
        """Partitions that are not done."""
        events: list[ReservationMessage] = []
        where: dict[UUID, ConsumerRecord] = {}
        stuck: dict[TopicPartition, dict[int, float]] = {}
        for tp, records in batches.items():
            for record in records:
                type_, only_for = "", ""
                for name, given in record.headers:
                    # The last one counts: a repeated dead letter's is the newest.
                    if name == TYPE:
                        type_ = text(given)
                    elif name == ONLY_FOR:
                        only_for = text(given)
                if (type_ and type_ not in self._consumer.types) or only_for not in ("", self._consumer.name):
                    continue
                try:
                    event = await self._decoder.decode(record.value, only_for=only_for)
                except DependencyAway:
                    # The registry: what comes behind this message waits with it, to keep the order.
                    stuck[tp] = {record.offset: self._retries.away_seconds}
                    break
                except EventInvalid as error:
                    await self._bury(record, error, tried=1)
                    continue
                events.append(event)
                # Delivered twice in one batch (a relay died between send and mark): judged by the first.
                where.setdefault(event.uid, record)
        delivery = await deliver(self._database, self._consumer, events, self._budget)
        for uid, failure in delivery.failed.items():
            tried = self._tried.get(uid, 0) + 1
            if self._retries.exhausted(tried):
                await self._bury(where[uid], failure, tried=tried)
                self._tried.pop(uid, None)
            else:
                self._tried[uid] = tried
                _hold(stuck, where[uid], self._retries.pause(tried))
        for uid in delivery.away:
            _hold(stuck, where[uid], self._retries.away_seconds)
        for uid in delivery.held | delivery.left:
            # Behind a failed one that may have been buried a moment ago, or out of time: then it can go at once.
            _hold(stuck, where[uid], 0.0)
        if self._tried:
            for uid in where.keys() - delivery.failed.keys() - delivery.away.keys() - delivery.held - delivery.left:
                self._tried.pop(uid, None)
        return {tp: Progress(min(offsets), offsets[min(offsets)]) for tp, offsets in stuck.items()}

    async def _bury(self, record: ConsumerRecord, error: Exception, *, tried: int) -> None:
        await self._dead.send(record, consumer=self._consumer.name, error=error, tried=tried)


def _hold(stuck: dict[TopicPartition, dict[int, float]], record: ConsumerRecord, seconds: float) -> None:
    stuck.setdefault(TopicPartition(record.topic, record.partition), {}).setdefault(record.offset, seconds)


def text(header: bytes | None) -> str:
    """A header's value; empty when there is none."""
    return header.decode(errors="replace") if header else ""
