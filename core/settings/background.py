"""What goes on behind the pages: messages, Kafka, and upkeep."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr

from core.settings_group import Group, setting


class BackgroundSettings(Group):
    # Events
    outbox_batch: int = setting(500, "outbox rows claimed at once", unit="rows", row="S18", ge=1)
    kafka_batch: int = setting(
        2000, "the same with Kafka, which takes many as easily as few", unit="rows", row="S18", ge=1
    )
    outbox_seconds: float = setting(0.5, "pause between two looks at an empty outbox", unit="s", row="S18", gt=0)
    outbox_lease_seconds: float = setting(
        15,
        "a relay's lease on rows, renewed while it works: how long rows wait after a relay died",
        unit="s",
        row="S18",
        gt=0,
    )
    kafka_partitions: int = setting(3, "partitions of the topic, when it is made", unit="partitions", row="S20", ge=1)
    kafka_replication: int = setting(
        -1, "copies of each partition, when the topic is made; -1: the broker's default", ge=-1
    )
    kafka_heartbeat_seconds: float = setting(3, "pause between two heartbeats of a consumer", unit="s", row="S20", gt=0)
    kafka_session_seconds: float = setting(
        10, "without a heartbeat for this long a consumer's partitions go to others", unit="s", row="S20", gt=0
    )
    kafka_max_poll_seconds: float = setting(
        300,
        "a consumer that has not asked for messages for this long is stuck: others take over",
        unit="s",
        row="S20",
        gt=0,
    )
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = setting(
        "PLAINTEXT", "how brokers are spoken to"
    )
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = setting(
        "PLAIN", "SASL mechanism, where SASL is used"
    )
    kafka_user: str = setting("", "SASL user")
    kafka_password: SecretStr = setting(SecretStr(""), "SASL password")
    kafka_ca_file: str = setting(
        "", "file of the certificates (PEM) that vouch for the brokers, where SSL is used; empty: the system's"
    )
    processed_days: float = setting(7, "how long `processed_events` are kept", unit="days", row="S19", gt=0)
    consumer_retries: int = setting(5, "tries of one message before it is a dead letter", row="S19", ge=1)

    # Upkeep
    reconcile_minutes: float = setting(10, "pause between two runs of the consistency job", unit="min", row="S14", gt=0)
    reconcile_page: int = setting(100, "seats that the consistency job reads at once", unit="seats", row="S14", ge=1)
    reconcile_pause_ms: float = setting(
        50, "pause between two pages of the consistency job", unit="ms", row="S14", ge=0
    )
    reconcile_full_every: int = setting(
        6,
        "in one of so many runs the consistency job looks at all seats, else at those changed lately",
        unit="runs",
        row="S14",
        ge=1,
    )
    janitor_seconds: float = setting(
        60, "pause between two searches for locks without a TTL", unit="s", row="S32", gt=0
    )
    watch_seconds: float = setting(
        10, "pause between two looks of the health watch, which alerts", unit="s", row="S31", gt=0
    )
