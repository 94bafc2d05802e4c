"""Seats rebuilt from the topic alone and compared with PostgreSQL (S17), on a real Kafka."""

from __future__ import annotations

import secrets
import uuid

import databases
import pytest

from core.errors import StartupError
from core.messaging.bus_kafka import KafkaBus
from core.messaging.codec import Encoder
from core.messaging.composition import named_server
from core.messaging.outbox_postgres import Outbox
from core.messaging.replay import Kind
from core.messaging.replay_kafka import replay
from core.messaging.retry import RetryPlan
from core.messaging.topics_kafka import Topics
from core.settings import Settings
from tests.kafka_broker import RunningKafka
from tests.outbox_rows import fetch, write


class Sale:
    """An event of 30 seats in PostgreSQL, whose changes go to the outbox as checkout's do."""

    def __init__(self, database: databases.Database, event_id: int, slug: str) -> None:
        self._database, self.event_id, self.slug = database, event_id, slug

    @classmethod
    async def open(cls, database: databases.Database) -> Sale:
        slug = f"r-{secrets.token_hex(4)}"
        ((event_id,),) = await fetch(
            database,
            "INSERT INTO events (slug, name, currency, prices, active_limit, hold_seconds, max_seats, plan, "
            "plan_digest, seat_count) VALUES ($1, 'n', 'KRW', '{}', 1, 1, 1, '{}', '', 30) RETURNING id",
            slug,
        )
        await fetch(
            database,
            "INSERT INTO seats (event_id, ordinal, seat_guid, zone, row_label, seat_number, category, price) "
            "SELECT $1, n, 's' || n, '', '', '', 'R', 10 FROM generate_series(0, 29) n",
            event_id,
        )
        return cls(database, event_id, slug)

    async def change(self, ordinals: list[int], status: str, *, told: bool = True) -> None:
        rows = await fetch(
            self._database,
            "UPDATE seats SET status = $3, version = version + 1 WHERE event_id = $1 AND ordinal = ANY($2::int[]) "
            "RETURNING ordinal, version, status, price, category",
            self.event_id,
            ordinals,
            status,
        )
        if told:
            await write(
                self._database,
                f"reservation.{status.lower()}",
                reservation=uuid.uuid4(),
                event=self.slug,
                event_id=self.event_id,
                seats=[dict(row) for row in rows],
            )


async def send(database: databases.Database, settings: Settings, topics: Topics, *, twice: bool = False) -> None:
    """All of the outbox; each reservation has a key of its own, so a seat's changes are spread over the partitions."""
    outbox = Outbox(database, process="replay")
    bus = KafkaBus(
        server=named_server(settings), encoder=Encoder(), retries=RetryPlan(3), process="replay", topics=topics
    )
    while (claim := await outbox.claim(100, 30)).rows:
        assert await bus.publish(claim.rows) == {}
        if twice:
            await bus.publish(claim.rows)
        await outbox.mark_sent(claim, [row.id for row in claim.rows])
    await bus.stop()


async def test_the_topic_and_postgresql_agree_and_each_kind_of_difference_is_named(
    database: databases.Database, kafka_settings: Settings, topics: Topics
) -> None:
    sale = await Sale.open(database)
    for ordinal in range(20):
        await sale.change([ordinal], "PAYING")
        await sale.change([ordinal], "SOLD" if ordinal % 3 else "AVAILABLE")
        if ordinal % 3 == 0:
            await sale.change([ordinal, ordinal + 1], "PAYING")
    await sale.change([25], "BLOCKED", told=False)
    await send(database, kafka_settings, topics, twice=True)
    report = await replay(server=named_server(kafka_settings), database=database, topics=topics)
    assert report.agrees, report.differences
    assert (report.seats, report.behind, report.unreadable) == (30, 0, [])
    assert report.messages == 2 * len(await fetch(database, "SELECT id FROM outbox"))

    # The newest change has not left the outbox: not judged.
    await sale.change([26], "PAYING")
    report = await replay(
        server=named_server(kafka_settings), registry_url="", database=database, topics=topics, slug=sale.slug
    )
    assert report.agrees
    assert report.behind == 1
    await send(database, kafka_settings, topics)

    # Sold behind the log's back, and set back behind it.
    await sale.change([27], "SOLD", told=False)
    await fetch(database, "UPDATE seats SET status = 'AVAILABLE', version = 0 WHERE ordinal = 26")
    report = await replay(
        server=named_server(kafka_settings), registry_url="", database=database, topics=topics, slug=sale.slug
    )
    assert {(each.ordinal, each.kind) for each in report.differences} == {(27, Kind.STATUS), (26, Kind.AHEAD)}
    assert not report.agrees


async def test_without_kafka_or_without_a_topic_there_is_one_clear_line(
    database: databases.Database, kafka_settings: Settings, running_kafka: RunningKafka
) -> None:
    with pytest.raises(StartupError, match="KAFKA_BOOTSTRAP_SERVERS"):
        await replay(server=None, database=database)
    if not running_kafka.mock:
        with pytest.raises(StartupError, match="no topic"):
            await replay(
                server=named_server(kafka_settings),
                registry_url="",
                database=database,
                topics=Topics(reservations="never-made"),
            )
    nowhere = kafka_settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    with pytest.raises(StartupError, match="cannot be read"):
        await replay(server=named_server(nowhere), database=database)
