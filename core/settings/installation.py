"""Where an installation runs, whom it talks to, and what keeps it safe."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from core.settings_group import Group, setting


class InstallationSettings(Group):
    # Where it runs
    host: str = setting("127.0.0.1", "address that `onsale serve` listens on")
    port: int = setting(8080, "port that `onsale serve` listens on", env="PORT", ge=0, le=65535)
    worker_port: int = setting(
        0, "port on which `onsale worker` answers /metrics and /actuator/health; 0: none", ge=0, le=65535, row="S30"
    )
    workers: int = setting(1, "web server processes", env="WORKERS", ge=1, le=64, row="D5")
    hang_seconds: float = setting(
        10,
        "a web process whose event loop has stood still for this long is killed and started again",
        unit="s",
        row="R2",
        ge=3,
    )
    standby: Literal["on", "off"] = setting(
        "on",
        "one more web process has loaded the program and waits: one that ends has a successor at once, forked from it "
        "(on Linux; elsewhere it takes that place itself). It costs some 40 MB of memory, elsewhere 100",
        row="R4",
    )
    data: Path = setting(Path(".onsale"), "data folder: embedded engines, secrets, e-mail files, logs")
    time_zone: str = setting(
        "UTC",
        "zone of an event that names none (IANA's name): what its pages, e-mails and tickets call the time",
        row="T2",
    )
    base_url: str = setting("", "address that buyers use, for links in e-mails; empty: the address served")
    database_url: str = setting("", "PostgreSQL; empty: an embedded one under the data folder", env="DATABASE_URL")
    database_replica_url: str = setting(
        "", "read replica for the consistency job; empty: the primary", env="DATABASE_REPLICA_URL", row="S14"
    )
    redis_url: str = setting("", "Redis or Valkey; empty: an embedded one", env="REDIS_URL", row="S12")
    kafka_bootstrap_servers: str = setting(
        "", "Kafka; empty: outbox rows go to the consumers in-process", env="KAFKA_BOOTSTRAP_SERVERS", row="S18"
    )
    schema_registry_url: str = setting("", "Confluent-compatible schema registry", env="SCHEMA_REGISTRY_URL", row="S21")
    slack_webhook_url: SecretStr = setting(
        SecretStr(""), "Slack webhook for alerts", env="SLACK_WEBHOOK_URL", row="S31"
    )
    smtp_url: SecretStr = setting(
        SecretStr(""),
        "smtp://user:password@host:port (smtps:// for TLS); empty: e-mails are written as .eml files to the data folder",
        env="SMTP_URL",
        row="S22",
    )
    mail_from: str = setting("Onsale <tickets@onsale.example>", "sender of e-mails", row="S22")
    mail_reply_to: str = setting("", "where answers to e-mails go; empty: to the sender", row="S22")
    mail_per_second: float = setting(
        0, "e-mails that leave the installation, at most; 0: as many as it can", unit="e-mails/s", row="S22", ge=0
    )
    database_pool: int = setting(10, "PostgreSQL connections of one process", unit="connections", ge=2)
    redis_pool: int = setting(
        64,
        "Redis connections of one process, at most; 16 or more: under load it keeps some of them all the time",
        unit="connections",
        ge=16,
    )
    redis_pubsub: Literal["plain", "sharded"] = setting(
        "plain",
        "how a sale's changes reach the web processes where Redis is a Cluster: `plain`, through every node of it; "
        "`sharded`, through those that have the sale, once every process is of a release that knows this setting",
        row="S12",
    )
    log_format: Literal["text", "json"] = setting("text", "log lines for a terminal, or as JSON", row="S34")
    traces_url: str = setting(
        "",
        "where traces of purchases go, by OpenTelemetry's protocol over HTTP (`http://collector:4318/v1/traces`); "
        "wants `onsale[otel]`; empty: nowhere",
        row="S34",
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "least severe log lines written", row="S34"
    )

    # Secrets and safety
    operator_token: SecretStr = setting(
        SecretStr(""),
        "token for operator pages and calls, 16 characters at least; empty: made, printed once, and kept in the data folder",
    )
    secret_key: SecretStr = setting(
        SecretStr(""), "signs cookies and tickets, 16 characters at least; empty: made and kept in the data folder"
    )
    allowed_origins: str = setting(
        "", "further origins that may open the live channel, comma separated; the served address always may"
    )
    secure_cookies: Literal["auto", "always"] = setting("auto", "`auto`: Secure when the request came by https")
    rate_limits: Literal["on", "off"] = setting("on", "`off` for load runs from one address")
    calls_per_minute: int = setting(300, "API calls of one visitor", unit="calls/min", ge=1)
    channel_messages_per_minute: int = setting(100, "messages of one channel", unit="messages/min", ge=1)
    channels_per_visitor: int = setting(5, "open channels of one visitor in one process", ge=1)
    channels_per_process: int = setting(
        20_000, "open channels of one process; further browsers are told to come back (memory: 20 KiB each)", ge=1
    )
    channel_buffer_bytes: int = setting(
        262_144, "a channel whose browser lets more than this pile up is closed with `reconnect`", unit="bytes", ge=4096
    )
    goodbye_seconds: float = setting(
        1,
        "goodbyes of a stopping process are spread over so long, so that its browsers do not come back all at once",
        unit="s",
        row="D5",
        gt=0,
        le=300,
    )
    forwarded_allow_ips: str = setting("127.0.0.1", "proxies whose X-Forwarded-* headers are believed")
