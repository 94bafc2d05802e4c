"""One member of a Kafka consumer group: reads, hands over, commits what is done, and holds back what is not.

Offsets are committed by hand, after success, and never past a message that is not done; once for all partitions, while
the next messages are handled. A partition whose next message
must wait is paused and read again from that message later; the member goes on asking for messages meanwhile, so it
stays in the group however long a store is away.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from core.errors import StoreUnavailable
from core.messaging.consumer import DependencyAway
from core.messaging.retry import RetryPlan
from core.messaging.topics_kafka import KafkaServer, client_options
from core.process.backoff import Backoff
from core.process.tasks import awaited, cancelled

log = structlog.get_logger(__name__)

_POLL_MS = 500
_PAUSES = Backoff(first=0.5, longest=10.0)
_LEAVE_SECONDS = 5.0


#: Messages of each partition, in order.
Batches = Mapping[TopicPartition, Sequence[ConsumerRecord]]


@dataclass(frozen=True, slots=True)
class Progress:
    """The records before `stuck_at` (an offset) are done; the others are to be tried again in `seconds`."""

    stuck_at: int
    seconds: float = 0.0


class Handler(Protocol):
    """What a group does with its messages."""

    async def __call__(self, batches: Batches) -> Mapping[TopicPartition, Progress]:
        """Some may have been handled before. Returns the partitions that are not done; when it raises, none is."""
        ...


class KafkaGroup:
    """A member of `group` on `topic`. `records` is how many messages are asked for at once."""

    def __init__(
        self,
        *,
        server: KafkaServer,
        topic: str,
        group: str,
        process: str,
        handler: Handler,
        retries: RetryPlan,
        records: int = 500,
    ) -> None:
        self._server = server
        self._topic = topic
        self.group = group
        self._process = process
        self._handler = handler
        self._retries = retries
        self._records = records
        self._stop = asyncio.Event()
        # Held while messages are handled: a rebalance waits until they are done and committed.
        self._handling = asyncio.Lock()
        self._resume: dict[TopicPartition, float] = {}
        self._committing: asyncio.Task[None] | None = None
        #: Partitions that are this member's at the moment.
        self.assigned: frozenset[int] = frozenset()

    def stop(self) -> None:
        """`run` returns after the messages in hand."""
        self._stop.set()

    async def run(self) -> None:
        """Until `stop`; brokers that go away are waited for."""
        failures = 0
        while not self._stop.is_set() and not cancelled():
            consumer = self._consumer()
            try:
                await consumer.start()
                consumer.subscribe([self._topic], listener=_Listener(self))
                log.info("group joined", group=self.group)
                failures = 0
                await self._read(consumer)
            except (KafkaError, OSError) as error:
                failures += 1
                log.warning("group waiting", group=self.group, error=f"{type(error).__name__}: {error}")
            except Exception:
                # A mistake in here must not end the consumer of a process that goes on.
                failures += 1
                log.exception("group failed", group=self.group)
            finally:
                await self._close(consumer)
            if not self._stop.is_set():
                await self._wait(_PAUSES.seconds(failures + 1))

    def _consumer(self) -> AIOKafkaConsumer:
        session = int(self._server.session_seconds * 1000)
        poll = int(self._server.max_poll_seconds * 1000)
        return AIOKafkaConsumer(
            **client_options(self._server, self._process),
            group_id=self.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=session,
            heartbeat_interval_ms=int(self._server.heartbeat_seconds * 1000),
            max_poll_interval_ms=poll,
            # How long the group waits for a member that still has messages in hand.
            rebalance_timeout_ms=max(session, min(poll, 60_000)),
            max_poll_records=self._records,
            request_timeout_ms=max(40_000, session + 5_000),
            retry_backoff_ms=200,
            metadata_max_age_ms=30_000,
        )

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while not self._stop.is_set() and not cancelled():
            self._unpause(consumer)
            batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=self._records)
            if not batches:
                continue
            async with self._handling:
                # A rebalance may have been waiting for the lock with these messages already fetched.
                assigned = consumer.assignment()
                mine = {tp: records for tp, records in batches.items() if tp in assigned}
                if mine:
                    await self._handle(consumer, mine)

    async def _handle(self, consumer: AIOKafkaConsumer, batches: Batches) -> None:
        stuck: Mapping[TopicPartition, Progress]
        try:
            stuck = await self._handler(batches)
        except Exception as error:
            if isinstance(error, (StoreUnavailable, DependencyAway, KafkaError, OSError)):
                log.warning("group away", group=self.group, error=repr(error))
            else:
                # A mistake in a handler must not end the group: the messages stay, and the log says why.
                log.exception("group handler failed", group=self.group)
            seconds = self._retries.away_seconds
            stuck = {tp: Progress(records[0].offset, seconds) for tp, records in batches.items()}
        upto = {tp: stuck[tp].stuck_at if tp in stuck else records[-1].offset + 1 for tp, records in batches.items()}
        done = {tp: offset for tp, offset in upto.items() if offset > batches[tp][0].offset}
        await self._committed()
        if done:
            # The next messages are handled meanwhile.
            self._committing = awaited(f"commit {self.group}", self._commit(consumer, done))
        if stuck:
            # What is tried again may end this process: what came before it is done with by then.
            await self._committed()
        try:
            for tp, progress in stuck.items():
                consumer.seek(tp, progress.stuck_at)
                consumer.pause(tp)
                self._resume[tp] = asyncio.get_running_loop().time() + progress.seconds
        except IllegalStateError as error:
            # Not ours any more: whoever reads on gets the messages again.
            log.info("partition lost", group=self.group, error=repr(error))

    async def _commit(self, consumer: AIOKafkaConsumer, done: Mapping[TopicPartition, int]) -> None:
        try:
            await consumer.commit(done)
        except (KafkaError, IllegalStateError) as error:
            # Not ours any more, or the coordinator moved: whoever reads on gets the messages again.
            log.info("commit refused", group=self.group, error=repr(error))

    async def _committed(self) -> None:
        """Waits for the commit that is under way."""
        committing, self._committing = self._committing, None
        if committing is not None:
            await committing

    def _unpause(self, consumer: AIOKafkaConsumer) -> None:
        now = asyncio.get_running_loop().time()
        for partition in [each for each, due in self._resume.items() if due <= now]:
            del self._resume[partition]
            if partition in consumer.assignment():
                consumer.resume(partition)

    async def _close(self, consumer: AIOKafkaConsumer) -> None:
        self._resume.clear()
        self.assigned = frozenset()
        # Leaving, so that others need not wait for the session to end, and also when that commit gets no answer.
        for step in (self._committed, consumer.stop):
            try:
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await step()
            except (KafkaError, OSError) as error:
                log.info("group left late", group=self.group, error=repr(error))

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    async def revoked(self) -> None:
        async with self._handling:
            await self._committed()
            self._resume.clear()
            self.assigned = frozenset()

    def given(self, partitions: Mapping[TopicPartition, object] | set[TopicPartition]) -> None:
        self.assigned = frozenset(partition.partition for partition in partitions)
        log.info("group assigned", group=self.group, partitions=sorted(self.assigned))


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, group: KafkaGroup) -> None:
        self._group = group

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._group.revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._group.given(assigned)
