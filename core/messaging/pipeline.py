"""The event side of a process as one object: relay, bus, consumers and their periodic jobs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial

import databases
from aiokafka.errors import KafkaError

from core.messaging import measures
from core.messaging.bus import Bus, BusUnavailable
from core.messaging.bus_kafka import KafkaBus
from core.messaging.bus_local import LocalBus
from core.messaging.codec import Decoder, Encoder
from core.messaging.consumer import Consumer
from core.messaging.consumer_kafka import EventHandler
from core.messaging.dead_letters_kafka import KEEPER, DeadLetterKeeper, DeadLetterTopic
from core.messaging.dead_letters_postgres import DeadLetters
from core.messaging.delivery_postgres import TimeBudget
from core.messaging.group_kafka import Handler, KafkaGroup
from core.messaging.group_lag import GroupLag
from core.messaging.in_hand_postgres import InHand
from core.messaging.lag_kafka import consumer_lag, group_standings
from core.messaging.outbox_postgres import Lag, Outbox
from core.messaging.purge_postgres import purge
from core.messaging.relay import LONGEST_PUBLISH_LEASES, Relay, RelayPace
from core.messaging.retry import RetryPlan
from core.messaging.schema_registry_http import open_registry
from core.messaging.topics_kafka import KafkaServer, Topics, client_options
from core.process.jobs import Job
from core.process.supervisor import Service, Supervisor

_LAG_SECONDS = 5.0
_CONSUMER_LAG_SECONDS = 15.0
# Five connections in a row, on a machine that may be busy.
_KAFKA_PATIENCE_SECONDS = 8.0
_PURGE_SECONDS = 600.0
_STOP_SECONDS = 20.0
# A batch begins with no further e-mail after this share of the time that it is given before it counts as hanging.
_BEGIN_SHARE = 0.5


class EventPipeline:
    """`await start()`, then `jobs()` for the process's job list, `wake()` after an outbox row was written here, and
    `await stop()`, which waits for the batch in hand.

    Without Kafka the relay runs the consumers: in the workers where there are any, else in every process that has a
    pipeline. With Kafka every pipeline relays, and those with `consume` (the workers) are members of the consumer
    groups.
    `kafka` is None without it. `keep_days`: how long it is remembered which messages were handled. `process` is the
    process's unique name. The local bus serves `consumers` in their order. `bus` and `topics` are the product's own
    unless a test brings others.
    """

    def __init__(
        self,
        *,
        database: databases.Database,
        kafka: KafkaServer | None,
        registry_url: str,
        pace: RelayPace,
        retries: RetryPlan,
        keep_days: float,
        supervisor: Supervisor,
        process: str,
        consumers: Sequence[Consumer],
        consume: bool = False,
        bus: Bus | None = None,
        topics: Topics | None = None,
    ) -> None:
        self._database = database
        self._kafka = kafka
        self._keep_days = keep_days
        self._supervisor = supervisor
        self._process = process
        self._topics = topics or Topics()
        self._retries = retries
        self._registry = open_registry(registry_url, self._topics)
        self._consumers = [consumer.name for consumer in consumers]
        self._stopping = asyncio.Event()
        self.dead_letters = DeadLetters(database)
        if kafka is not None:
            # What can be wrong with these is told at the start, not each time that brokers are asked.
            client_options(kafka, process)
        self._members = self._join(kafka, consumers) if kafka is not None and consume else ()
        self._bus = bus or (
            KafkaBus(
                server=kafka,
                encoder=Encoder(self._registry),
                retries=self._retries,
                process=process,
                topics=self._topics,
            )
            if kafka is not None
            else LocalBus(
                database=database,
                consumers=consumers,
                retries=self._retries,
                budget=self._time_budget(LONGEST_PUBLISH_LEASES * pace.lease_seconds),
            )
        )
        self._outbox = Outbox(database, process=process)
        self.relay = Relay(
            outbox=self._outbox,
            bus=self._bus,
            retries=self._retries,
            pace=pace,
        )
        self._services: list[Service] = []

    def _join(self, kafka: KafkaServer, consumers: Sequence[Consumer]) -> tuple[KafkaGroup, ...]:
        """A member of each consumer's group, and of the one that keeps the dead letters."""
        decoder = Decoder(self._registry)
        self._dead_topic = DeadLetterTopic(server=kafka, topics=self._topics, process=self._process)
        members = [
            self._member(
                kafka,
                consumer.name,
                self._topics.reservations,
                EventHandler(
                    database=self._database,
                    consumer=consumer,
                    decoder=decoder,
                    dead=self._dead_topic,
                    retries=self._retries,
                    in_hand=InHand(self._database, group=self._topics.group(consumer.name)),
                    budget=self._time_budget(kafka.max_poll_seconds),
                ),
                # One transaction for each message: so many are done well within the longest pause between two polls.
                records=2000 if consumer.batch > 1 else 100,
            )
            for consumer in consumers
        ]
        keeper = DeadLetterKeeper(letters=self.dead_letters, decoder=decoder)
        return (*members, self._member(kafka, KEEPER, self._topics.dead_letters, keeper, records=100))

    def _member(self, kafka: KafkaServer, name: str, topic: str, handler: Handler, *, records: int) -> KafkaGroup:
        return KafkaGroup(
            server=kafka,
            topic=topic,
            group=self._topics.group(name),
            process=f"{self._process}-{name}",
            handler=handler,
            retries=self._retries,
            records=records,
        )

    def _time_budget(self, longest: float) -> TimeBudget:
        return TimeBudget(_BEGIN_SHARE * longest, self._stopping.is_set)

    @property
    def assigned(self) -> dict[str, frozenset[int]]:
        """Kafka group -> the partitions that this process has at the moment."""
        return {member.group: member.assigned for member in self._members}

    async def start(self) -> None:
        await self._bus.start()
        self._services.append(self._supervisor.run_forever("relay", self.relay.run, until_return=True))
        for member in self._members:
            self._services.append(
                self._supervisor.run_forever(f"consumer {member.group}", member.run, until_return=True)
            )

    async def stop(self) -> None:
        """Ends after what is in hand; what takes too long is cut off, which loses nothing: it is claimed again."""
        self._stopping.set()
        self.relay.stop()
        for member in self._members:
            member.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await asyncio.gather(*(service.finished() for service in self._services))
        await asyncio.gather(*(service.end() for service in self._services))
        await self._bus.stop()
        if self._members:
            await self._dead_topic.stop()
        if self._registry is not None:
            await self._registry.aclose()

    def wake(self) -> None:
        """An outbox row was written by this process: no need to wait for the next look."""
        self.relay.wake()

    def relieved(self, by_worker: bool) -> None:
        """Without Kafka the relay runs the consumers: while a worker does so, who serves buyers need not."""
        self.relay.rests = by_worker and self._kafka is None

    async def lag(self) -> Lag:
        """Raises StoreUnavailable."""
        return await self._outbox.lag()

    async def groups(self) -> dict[str, GroupLag] | None:
        """Consumer's name -> how its group stands; None without Kafka, where the relay runs the consumers.

        Raises BusUnavailable, after `_KAFKA_PATIENCE_SECONDS` at the latest.
        """
        if self._kafka is None:
            return None
        try:
            async with asyncio.timeout(_KAFKA_PATIENCE_SECONDS):
                return await group_standings(self._kafka, self._consumers, topics=self._topics)
        except TimeoutError:
            raise BusUnavailable(f"no answer within {_KAFKA_PATIENCE_SECONDS:g} s") from None
        except (KafkaError, OSError) as error:
            raise BusUnavailable(type(error).__name__) from error

    def jobs(self) -> list[Job]:
        jobs = [
            Job(
                "outbox_lag",
                every=_LAG_SECONDS,
                run=self._measure_lag,
                lease=False,
                limit=5.0,
                needs=frozenset({"database"}),
            ),
            Job("purge_events", every=_PURGE_SECONDS, run=self._purge, limit=300.0, needs=frozenset({"database"})),
        ]
        if self._kafka is not None and self._members:
            jobs.append(
                Job(
                    "consumer_lag",
                    every=_CONSUMER_LAG_SECONDS,
                    run=partial(self._measure_consumers, self._kafka),
                    lease=False,
                    needs=frozenset({"kafka"}),
                )
            )
        return jobs

    async def _measure_lag(self) -> None:
        lag = await self.lag()
        measures.OUTBOX_UNSENT.set(lag.unsent)
        measures.OUTBOX_AGE.set(lag.seconds)

    async def _measure_consumers(self, kafka: KafkaServer) -> None:
        for name, messages in (await consumer_lag(kafka, self._consumers, topics=self._topics)).items():
            measures.CONSUMER_LAG.labels(name).set(messages)

    async def _purge(self) -> dict[str, int]:
        return await purge(self._database, days=self._keep_days)
