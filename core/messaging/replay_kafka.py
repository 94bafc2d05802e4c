"""Replay: reads the topic from its first message to its end of this moment and compares it with PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field

import databases
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from core.database import raw
from core.errors import StartupError
from core.messaging.codec import Decoder
from core.messaging.replay import Difference, SeatLog, SeatRow
from core.messaging.reservation_message import EventInvalid
from core.messaging.schema_registry_http import RegistryAway, open_registry
from core.messaging.topics_kafka import KafkaServer, Topics, client_options, partitions_of

# Statuses and the outbox at one moment: one statement is one snapshot.
_SNAPSHOT = """
WITH unsent AS MATERIALIZED (
    SELECT DISTINCT (o.payload ->> 'event_id')::bigint AS event_id, (seat ->> 'ordinal')::int AS ordinal
    FROM outbox o, jsonb_array_elements(o.payload -> 'seats') AS seat
    WHERE o.sent_at IS NULL AND jsonb_typeof(o.payload -> 'seats') = 'array')
SELECT e.slug, s.event_id, s.ordinal, s.status, s.version, u.ordinal IS NOT NULL AS waiting
FROM seats s
JOIN events e ON e.id = s.event_id
LEFT JOIN unsent u ON u.event_id = s.event_id AND u.ordinal = s.ordinal
WHERE $1::text IS NULL OR e.slug = $1
"""


@dataclass(slots=True)
class ReplayReport:
    """`messages` read, `unreadable` of them listed; `seats` compared, `behind` of them not judged because their newest
    change is still in the outbox. `agrees`: nothing differs and everything could be read."""

    messages: int = 0
    seats: int = 0
    behind: int = 0
    unreadable: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not self.differences and not self.unreadable


async def replay(
    *,
    server: KafkaServer | None,
    registry_url: str = "",
    database: databases.Database,
    slug: str | None = None,
    topics: Topics | None = None,
) -> ReplayReport:
    """Changes nothing. `slug` limits the comparison to one event. Raises StartupError without a reachable Kafka."""
    if server is None:
        raise StartupError("replay reads the event log in Kafka: set KAFKA_BOOTSTRAP_SERVERS")
    topics = topics or Topics()
    # In this order: what PostgreSQL says now must be in the log by the time that its end is looked up, unless the
    # outbox has it; and what is in the log by then must be in PostgreSQL afterwards.
    before = await _seats(database, slug)
    log, report = SeatLog(), ReplayReport()
    registry = open_registry(registry_url, topics)
    try:
        await _read(server, topics, Decoder(registry), log, report)
    except (KafkaError, OSError, RegistryAway) as error:
        raise StartupError(f"the event log cannot be read: {type(error).__name__}: {error}") from error
    finally:
        if registry is not None:
            await registry.aclose()
    after = await _seats(database, slug)
    compared = log.compare(before, complete=slug is None)
    report.seats, report.behind = compared.seats, compared.behind
    report.differences = compared.differences + log.ahead(after)
    return report


async def _seats(database: databases.Database, slug: str | None) -> list[SeatRow]:
    async with raw(database) as connection:
        return [SeatRow(*record.values()) for record in await connection.fetch(_SNAPSHOT, slug, timeout=120)]


async def _read(server: KafkaServer, topics: Topics, decoder: Decoder, log: SeatLog, report: ReplayReport) -> None:
    partitions = await partitions_of(server, topics.reservations)
    if not partitions:
        raise StartupError(f"Kafka has no topic {topics.reservations}: nothing was ever sent")
    consumer = AIOKafkaConsumer(
        **client_options(server, "replay"),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        left = {partition for partition in partitions if ends[partition] > 0}
        await consumer.seek_to_beginning(*partitions)
        left -= {each for each in partitions if await consumer.position(each) >= ends[each]}
        while left:
            for partition, records in (await consumer.getmany(timeout_ms=1000, max_records=1000)).items():
                for record in records:
                    if record.offset >= ends[partition]:
                        break
                    report.messages += 1
                    try:
                        log.apply(await decoder.decode(record.value))
                    except EventInvalid as error:
                        report.unreadable.append(f"{record.topic}/{record.partition}/{record.offset}: {error}")
            for partition in list(left):
                if await consumer.position(partition) >= ends[partition]:
                    left.discard(partition)
    finally:
        await consumer.stop()
