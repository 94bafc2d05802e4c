"""The event side of a process, put together from the settings."""

from __future__ import annotations

from collections.abc import Sequence

import databases

from core.messaging.bus import Bus
from core.messaging.consumer import Consumer
from core.messaging.pipeline import EventPipeline
from core.messaging.relay import RelayPace
from core.messaging.retry import RetryPlan
from core.messaging.topics_kafka import KafkaServer, Topics
from core.process.supervisor import Supervisor
from core.settings import Settings


def kafka_server(settings: Settings) -> KafkaServer | None:
    """The brokers that the settings name; None without."""
    return named_server(settings) if settings.kafka_bootstrap_servers else None


def named_server(settings: Settings) -> KafkaServer:
    return KafkaServer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        security=settings.kafka_security,
        mechanism=settings.kafka_mechanism,
        user=settings.kafka_user,
        password=settings.kafka_password.get_secret_value(),
        ca_file=settings.kafka_ca_file,
        partitions=settings.kafka_partitions,
        replication=settings.kafka_replication,
        session_seconds=settings.kafka_session_seconds,
        heartbeat_seconds=settings.kafka_heartbeat_seconds,
        max_poll_seconds=settings.kafka_max_poll_seconds,
    )


def open_pipeline(
    settings: Settings,
    *,
    database: databases.Database,
    supervisor: Supervisor,
    process: str,
    consumers: Sequence[Consumer],
    consume: bool = False,
    bus: Bus | None = None,
    topics: Topics | None = None,
    retries: RetryPlan | None = None,
) -> EventPipeline:
    """See `EventPipeline`. Connects to nothing yet. Raises StartupError."""
    kafka = kafka_server(settings)
    return EventPipeline(
        database=database,
        kafka=kafka,
        registry_url=settings.schema_registry_url,
        pace=RelayPace(
            batch=settings.kafka_batch if kafka else settings.outbox_batch,
            idle_seconds=settings.outbox_seconds,
            lease_seconds=settings.outbox_lease_seconds,
        ),
        retries=retries or RetryPlan(settings.consumer_retries),
        keep_days=settings.processed_days,
        supervisor=supervisor,
        process=process,
        consumers=consumers,
        consume=consume,
        bus=bus,
        topics=topics,
    )
