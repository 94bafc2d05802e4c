"""Kafka: the topics' names and shape, the groups' names, and how brokers are reached."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from core import keys
from core.errors import StartupError

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


@dataclass(frozen=True, slots=True)
class KafkaServer:
    """How the brokers are reached, what topics they are asked to make, and how members of groups are watched.

    `replication` -1 is the brokers' own; times in seconds: a member that sends no heartbeat for `session`, or asks for
    no messages for `max_poll`, is out of its group.
    """

    bootstrap_servers: str
    security: str
    mechanism: str
    user: str
    password: str = field(repr=False)
    ca_file: str
    partitions: int
    replication: int
    session_seconds: float
    heartbeat_seconds: float
    max_poll_seconds: float


def client_options(server: KafkaServer, process: str) -> dict[str, Any]:
    """What every aiokafka client is given. Raises StartupError for certificates that cannot be read."""
    options: dict[str, Any] = {
        "bootstrap_servers": server.bootstrap_servers,
        "client_id": f"onsale-{process}",
        "security_protocol": server.security,
    }
    if server.security.endswith("SSL"):
        try:
            options["ssl_context"] = ssl.create_default_context(cafile=server.ca_file or None)
        except OSError as error:
            # `ssl.SSLError` is one.
            raise StartupError(
                f"ONSALE_KAFKA_CA_FILE: {server.ca_file} has no certificates that can be read "
                f"({error.strerror}): name a file of PEM certificates, or nothing to use the system's"
            ) from None
    if server.security.startswith("SASL"):
        options |= {
            "sasl_mechanism": server.mechanism,
            "sasl_plain_username": server.user,
            "sasl_plain_password": server.password,
        }
    return options


async def make_topics(server: KafkaServer, topics: Topics, process: str) -> None:
    """Makes the topics that are missing; ones that exist are left as they are. Raises KafkaError."""
    admin = AIOKafkaAdminClient(**client_options(server, process))
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = [_new(name, server) for name in (topics.reservations, topics.dead_letters) if name not in there]
        # Not asked for when there is nothing to make: many installations may not make topics.
        response = await admin.create_topics(missing) if missing else None
        for name, code, *_ in response.topic_errors if response else ():
            error = for_code(code)
            # Another process may have been quicker.
            if code and error is not TopicAlreadyExistsError:
                raise error(f"the topic {name} is missing and cannot be made")
    finally:
        await admin.close()


async def partitions_of(server: KafkaServer, topic: str) -> list[TopicPartition]:
    """Empty when there is no such topic. Raises KafkaError."""
    admin = AIOKafkaAdminClient(**client_options(server, "lookup"))
    try:
        await admin.start()
        (described,) = await admin.describe_topics([topic])
        return [TopicPartition(topic, each["partition"]) for each in described["partitions"]]
    finally:
        await admin.close()


def _new(name: str, server: KafkaServer) -> NewTopic:
    # -1 is the broker's default; aiokafka takes it only beside an assignment of replicas, which may be empty.
    assignments: dict[int, list[int]] | None = {} if server.replication == -1 else None
    return NewTopic(
        name,
        server.partitions,
        server.replication,
        assignments,
        topic_configs={"retention.ms": _FOREVER},
    )
