"""Kafka: the topics' names and shape, the groups' names, and how brokers are reached."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from core import keys
from core.errors import StartupError
from core.settings import Settings

# The topic is what seats can be rebuilt from (S17): it keeps everything.
_FOREVER = "-1"


@dataclass(frozen=True, slots=True)
class Topics:
    """The product uses the defaults; tests that share a broker have names of their own."""

    reservations: str = keys.RESERVATIONS_TOPIC
    dead_letters: str = keys.DEAD_LETTER_TOPIC
    group_prefix: str = "onsale"

    def group(self, consumer: str) -> str:
        return f"{self.group_prefix}.{consumer}"


def client_options(settings: Settings, process: str) -> dict[str, Any]:
    """What every aiokafka client is given. Raises StartupError for certificates that cannot be read."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "client_id": f"onsale-{process}",
        "security_protocol": settings.kafka_security,
    }
    if settings.kafka_security.endswith("SSL"):
        try:
            options["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file or None)
        except OSError as error:
            # `ssl.SSLError` is one.
            raise StartupError(
                f"ONSALE_KAFKA_CA_FILE: {settings.kafka_ca_file} has no certificates that can be read "
                f"({error.strerror}): name a file of PEM certificates, or nothing to use the system's"
            ) from None
    if settings.kafka_security.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.kafka_mechanism,
            "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return options


async def make_topics(settings: Settings, topics: Topics, process: str) -> None:
    """Makes the topics that are missing; ones that exist are left as they are. Raises KafkaError."""
    admin = AIOKafkaAdminClient(**client_options(settings, process))
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = [_new(name, settings) for name in (topics.reservations, topics.dead_letters) if name not in there]
        # Not asked for when there is nothing to make: many installations may not make topics.
        response = await admin.create_topics(missing) if missing else None
        for name, code, *_ in response.topic_errors if response else ():
            error = for_code(code)
            # Another process may have been quicker.
            if code and error is not TopicAlreadyExistsError:
                raise error(f"the topic {name} is missing and cannot be made")
    finally:
        await admin.close()


async def partitions_of(settings: Settings, topic: str) -> list[TopicPartition]:
    """Empty when there is no such topic. Raises KafkaError."""
    admin = AIOKafkaAdminClient(**client_options(settings, "lookup"))
    try:
        await admin.start()
        (described,) = await admin.describe_topics([topic])
        return [TopicPartition(topic, each["partition"]) for each in described["partitions"]]
    finally:
        await admin.close()


def _new(name: str, settings: Settings) -> NewTopic:
    # -1 is the broker's default; aiokafka takes it only beside an assignment of replicas, which may be empty.
    assignments: dict[int, list[int]] | None = {} if settings.kafka_replication == -1 else None
    return NewTopic(
        name,
        settings.kafka_partitions,
        settings.kafka_replication,
        assignments,
        topic_configs={"retention.ms": _FOREVER},
    )
