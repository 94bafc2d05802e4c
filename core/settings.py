"""The only reader of the environment. Every setting has a unit, a default and the row it comes from.

`docs/settings.md` is generated from this file (`make docs`); a test fails when they differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import StartupError


def _setting(
    default: Any,
    about: str,
    *,
    unit: str = "",
    row: str = "",
    env: str | None = None,
    old: str | None = None,
    **constraints: Any,
) -> Any:
    """One setting: `env` is the variable's name when it does not start with `ONSALE_`; `old`: a name of it that is
    understood for one more release.
    """
    alias = AliasChoices(*(name for name in (env, old) if name)) if env else None
    return Field(
        default, description=about, validation_alias=alias, json_schema_extra={"unit": unit, "row": row}, **constraints
    )


class Settings(BaseSettings):
    """All settings of an installation; `Settings()` reads the environment, keyword arguments override it."""

    model_config = SettingsConfigDict(
        env_prefix="ONSALE_", extra="ignore", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

    # Where it runs
    host: str = _setting("127.0.0.1", "address that `onsale serve` listens on")
    port: int = _setting(8080, "port that `onsale serve` listens on", env="PORT", ge=0, le=65535)
    worker_port: int = _setting(
        0, "port on which `onsale worker` answers /metrics and /actuator/health; 0: none", ge=0, le=65535, row="S30"
    )
    workers: int = _setting(1, "web server processes", env="WORKERS", ge=1, le=64, row="D5")
    hang_seconds: float = _setting(
        10,
        "a web process whose event loop has stood still for this long is killed and started again",
        unit="s",
        row="R2",
        ge=3,
    )
    data: Path = _setting(Path(".onsale"), "data folder: embedded engines, secrets, e-mail files, logs")
    time_zone: str = _setting(
        "UTC",
        "zone of an event that names none (IANA's name): what its pages, e-mails and tickets call the time",
        row="T2",
    )
    base_url: str = _setting("", "address that buyers use, for links in e-mails; empty: the address served")
    database_url: str = _setting("", "PostgreSQL; empty: an embedded one under the data folder", env="DATABASE_URL")
    database_replica_url: str = _setting(
        "", "read replica for the consistency job; empty: the primary", env="DATABASE_REPLICA_URL", row="S14"
    )
    redis_url: str = _setting("", "Redis or Valkey; empty: an embedded one", env="REDIS_URL", row="S12")
    kafka_bootstrap_servers: str = _setting(
        "", "Kafka; empty: outbox rows go to the consumers in-process", env="KAFKA_BOOTSTRAP_SERVERS", row="S18"
    )
    schema_registry_url: str = _setting(
        "", "Confluent-compatible schema registry", env="SCHEMA_REGISTRY_URL", row="S21"
    )
    slack_webhook_url: SecretStr = _setting(
        SecretStr(""), "Slack webhook for alerts", env="SLACK_WEBHOOK_URL", row="S31"
    )
    smtp_url: SecretStr = _setting(
        SecretStr(""),
        "smtp://user:password@host:port (smtps:// for TLS); empty: e-mails are written as .eml files to the data folder",
        env="SMTP_URL",
        row="S22",
    )
    mail_from: str = _setting("Onsale <tickets@onsale.example>", "sender of e-mails", row="S22")
    mail_reply_to: str = _setting("", "where answers to e-mails go; empty: to the sender", row="S22")
    mail_per_second: float = _setting(
        0, "e-mails that leave the installation, at most; 0: as many as it can", unit="e-mails/s", row="S22", ge=0
    )
    database_pool: int = _setting(10, "PostgreSQL connections of one process", unit="connections", ge=2)
    redis_pool: int = _setting(64, "Redis connections of one process, at most", unit="connections", ge=4)
    log_format: Literal["text", "json"] = _setting("text", "log lines for a terminal, or as JSON", row="S34")
    traces_url: str = _setting(
        "",
        "where traces of purchases go, by OpenTelemetry's protocol over HTTP (`http://collector:4318/v1/traces`); "
        "wants `onsale[otel]`; empty: nowhere",
        row="S34",
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", "least severe log lines written", row="S34"
    )

    # Secrets and safety
    operator_token: SecretStr = _setting(
        SecretStr(""),
        "token for operator pages and calls, 16 characters at least; empty: made, printed once, and kept in the data folder",
    )
    secret_key: SecretStr = _setting(
        SecretStr(""), "signs cookies and tickets, 16 characters at least; empty: made and kept in the data folder"
    )
    allowed_origins: str = _setting(
        "", "further origins that may open the live channel, comma separated; the served address always may"
    )
    secure_cookies: Literal["auto", "always"] = _setting("auto", "`auto`: Secure when the request came by https")
    rate_limits: Literal["on", "off"] = _setting("on", "`off` for load runs from one address")
    calls_per_minute: int = _setting(300, "API calls of one visitor", unit="calls/min", ge=1)
    channel_messages_per_minute: int = _setting(100, "messages of one channel", unit="messages/min", ge=1)
    channels_per_visitor: int = _setting(5, "open channels of one visitor in one process", ge=1)
    channels_per_process: int = _setting(
        20_000, "open channels of one process; further browsers are told to come back (memory: 20 KiB each)", ge=1
    )
    channel_buffer_bytes: int = _setting(
        262_144, "a channel whose browser lets more than this pile up is closed with `reconnect`", unit="bytes", ge=4096
    )
    goodbye_seconds: float = _setting(
        1,
        "goodbyes of a stopping process are spread over so long, so that its browsers do not come back all at once",
        unit="s",
        row="D5",
        gt=0,
        le=300,
    )
    forwarded_allow_ips: str = _setting("127.0.0.1", "proxies whose X-Forwarded-* headers are believed")

    # What a place costs
    network_ipv4_bits: int = _setting(
        24, "IPv4 addresses alike in so many bits are one network", unit="bits", row="F4", ge=8, le=32
    )
    network_ipv6_bits: int = _setting(
        48, "IPv6 addresses alike in so many bits are one network", unit="bits", row="F4", ge=16, le=64
    )
    proof_free_places: int = _setting(
        8, "live places of a network that need no proof of work", unit="places", row="F4", ge=0
    )
    proof_step_places: int = _setting(
        32,
        "up to so many places of a network cost the same; each further so many cost twice as much",
        unit="places",
        row="F4",
        ge=1,
    )
    proof_doublings: int = _setting(
        6, "how often the cost doubles, at most: 6 is 64 times", unit="times", row="F4", ge=0, le=12
    )
    proof_tries: int = _setting(
        600,
        "work of the first proof: half so many tries on average, each of 2,000 rounds of PBKDF2",
        unit="tries",
        row="F4",
        ge=1,
        le=1_000_000,
    )
    proof_seconds: float = _setting(
        600, "a proof of work is good for so long after it was asked for", unit="s", row="F4", gt=0
    )
    captcha_verify_url: str = _setting(
        "",
        "a captcha besides: its siteverify address (Turnstile, hCaptcha and reCAPTCHA speak the same form). Empty: none",
        row="F4",
    )
    captcha_secret: SecretStr = _setting(SecretStr(""), "the captcha's secret", row="F4")
    captcha_site_key: str = _setting("", "the captcha's site key, for the page", row="F4")
    captcha_script: str = _setting(
        "", "the captcha's script; empty: that of the service that siteverify belongs to", row="F4"
    )

    # Waiting room
    active_limit: int = _setting(100, "active visitors when an event names no limit", unit="visitors", row="S8", ge=1)
    beacon_url: str = _setting(
        "",
        "drand chain whose value goes into each draw, such as https://api.drand.sh/CHAIN-HASH; a draw waits for it. Empty: none",
        row="F2",
    )
    active_limit_mode: Literal["fixed", "computed", "load"] = _setting(
        "fixed",
        "`fixed`: each event's own limit; `computed`: at most what the machines bear by the arithmetic of S10; `load`: that "
        "times a share that follows CPU, memory, database pool and payment",
        row="S10",
    )
    capacity_per_core: float = _setting(20, "active visitors that one core bears", unit="visitors", row="S10", gt=0)
    capacity_safety: float = _setting(2, "what the computed limit is divided by", row="S10", ge=1)
    capacity_per_connection: float = _setting(
        10, "active visitors that one database connection bears", unit="visitors", row="S10", gt=0
    )
    limits_seconds: float = _setting(5, "pause between two looks at the load", unit="s", row="S10", gt=0)
    beat_seconds: float = _setting(10, "pause between two heartbeats of a browser", unit="s", row="S9", gt=0)
    active_grace_seconds: float = _setting(
        30, "without a beat for this long an active visitor is out", unit="s", row="S9", gt=0
    )
    waiting_grace_seconds: float = _setting(
        120,
        "without a beat for this long a waiting visitor loses the queue entry (the ticket keeps the place)",
        unit="s",
        row="S9",
        gt=0,
    )
    absent_seconds: float = _setting(
        600,
        "who comes back within so much time in which the service answered has the old place; later it is behind those who "
        "stayed",
        unit="s",
        row="F6",
        gt=0,
    )
    pong_seconds: float = _setting(
        120,
        "for this long after a page's last own message its browser's answers to pings count as beats",
        unit="s",
        row="R2",
        ge=0,
    )
    session_seconds: float = _setting(600, "an active visitor's session, at most", unit="s", row="S9", gt=0)
    session_after_purchase_seconds: float = _setting(
        120,
        "what is left of the session after a purchase, at most: who has bought makes room",
        unit="s",
        row="S8",
        ge=0,
    )
    session_warning_seconds: float = _setting(60, "warning before a session ends", unit="s", ge=0)
    stop_seconds: float = _setting(
        600,
        "for so long, at most, the clocks of sessions and holds stand while PostgreSQL, Redis or payment is away",
        unit="s",
        row="R4",
        ge=0,
        le=600,
    )
    sweep_seconds: float = _setting(1, "pause between two sweeps", unit="s", row="S8", gt=0)
    ticket_hours: float = _setting(24, "how long a signed queue ticket is good for", unit="h", gt=0)

    # Seats
    seat_guard: Literal["atomic", "lock", "optimistic"] = _setting("atomic", "which guard grants holds", row="S4")
    hold_seconds: float = _setting(300, "a hold's length when an event names none", unit="s", row="S3", gt=0)
    hold_extensions: int = _setting(1, "how often a visitor may extend a hold", unit="times", ge=0)
    max_seats: int = _setting(4, "seats of one visitor when an event names no number", unit="seats", ge=1)
    hoarding_baskets: float = _setting(
        2,
        "what a visitor may hold without buying: so many full baskets, each for a whole hold, its extensions and the time "
        "to pay; then a pause. A purchase clears it; 0: no limit",
        unit="baskets",
        row="F5",
        ge=0,
    )
    hoarding_visitors: float = _setting(
        32, "the same for a network: as much as so many visitors; 0: no limit", unit="visitors", row="F5", ge=0
    )
    cool_down_seconds: float = _setting(
        600, "how long who has held too much without buying begins no new basket", unit="s", row="F5", gt=0
    )
    return_seconds: float = _setting(
        30,
        "seats that are given back are on the map again after a random time up to this, so that nobody can hand them over; "
        "while somebody on the waiting list wishes for them they are not. 0: at once",
        unit="s",
        row="F5",
        ge=0,
        le=600,
    )
    offer_seconds: float = _setting(
        1800,
        "seats that are given back are kept for so long for whom the waiting list offers them to; then for the next",
        unit="s",
        row="F10",
        ge=10,
        le=7 * 24 * 3600,
    )
    waiting_list_places: int = _setting(
        200, "places on the waiting list of a sale that one network has, at most; 0: any number", row="F10", ge=0
    )
    email_tags_at: str = _setting(
        "gmail.com,outlook.com,hotmail.com,live.com,icloud.com,fastmail.com,proton.me",
        "providers at which what follows a `+` in an address is the buyer's own: without it, it is one address for the "
        "seats of a buyer; comma separated",
        row="F3",
    )
    email_dots_at: str = _setting(
        "gmail.com,proton.me", "providers at which dots in an address do not count; comma separated", row="F3"
    )
    lock_wait_seconds: float = _setting(1, "a seat lock is waited for this long", unit="s", row="S1", gt=0, le=3)
    lock_lease_seconds: float = _setting(2, "a seat lock frees itself after this long", unit="s", row="S1", gt=0)
    optimistic_attempts: int = _setting(5, "tries of the optimistic guard before it says `taken`", row="S4", ge=1)
    board_coalesce_ms: float = _setting(
        50, "seat changes are gathered for this long at most before they are sent", unit="ms", row="D5", gt=0
    )

    # Payment
    payment: str = _setting(
        "",
        "providers in order of preference, comma separated: toss, kcp, portone, stripe; or `simulator`, which plays Toss "
        "Payments, `simulator:toss,kcp`, which plays both (no money moves). `onsale serve` wants it set",
        row="P5",
        env="ONSALE_PAYMENT",
        old="ONSALE_PAYMENT_PROVIDERS",
    )
    payment_when_open: Literal["fail_fast", "fallback", "park"] = _setting(
        "fail_fast",
        "the first provider's circuit is open, or it refuses to connect: say so at once, offer the next attempt at the "
        "next provider, or keep the authorisation until it answers again",
        row="S25",
    )
    payment_alternative: str = _setting(
        "en=the box office;ko=현장 매표소",
        "what buyers are told to use while card payment is away, by language; or one text for all",
        row="S25",
    )
    payment_window_seconds: float = _setting(
        420,
        'from "buy" to the end of the time to pay, whatever happens in the provider\'s window: only the time of an outage is added',
        unit="s",
        row="P1",
        ge=5,
        le=540,
    )
    compare_days: float = _setting(
        30,
        "once a day the provider's own list of charges is compared so far back (every hour: the last hours)",
        unit="days",
        row="P6",
        gt=0,
        le=365,
    )
    retry_seconds: float = _setting(
        60,
        "after a card was declined the seats are kept for this long for another try; 0: free at once",
        unit="s",
        row="P11",
        ge=0,
    )
    simulator_url: str = _setting(
        "", "where the payment simulator answers the server; empty: `http://127.0.0.1:<PORT>/paysim`", row="P5"
    )
    simulator_page: str = _setting(
        "", "where buyers' browsers find the payment simulator; empty: `/paysim` at the shop's own address", row="P5"
    )
    toss_url: str = _setting(
        "",
        "Toss Payments' API; empty: https://api.tosspayments.com",
        row="P2",
        env="ONSALE_TOSS_URL",
        old="ONSALE_PAYMENT_URL",
    )
    toss_script: str = _setting(
        "", "Toss Payments' window script; empty: https://js.tosspayments.com/v2/standard", row="P2"
    )
    toss_client_key: str = _setting("", "Toss Payments' client key (for the window)", row="P2")
    toss_secret: SecretStr = _setting(
        SecretStr(""), "Toss Payments' secret key", row="P2", env="ONSALE_TOSS_SECRET", old="ONSALE_PAYMENT_SECRET"
    )
    toss_old_url: str = _setting("", "where payments made with the old secret are finished; empty: as now", row="P1")
    toss_old_secret: SecretStr = _setting(
        SecretStr(""), "the secret key before this one: payments made with it are finished with it", row="P1"
    )
    kcp_url: str = _setting("", "NHN KCP's API; empty: https://spl.kcp.co.kr", row="P4")
    kcp_script: str = _setting(
        "", "NHN KCP's window script on a PC; empty: https://spay.kcp.co.kr/plugin/kcp_spay_hub.js", row="P4"
    )
    kcp_site_code: str = _setting("T0000", "NHN KCP's `site_cd`; T0000 is its public test site", row="P4")
    kcp_certificate: str = _setting("", "file with the service certificate that NHN KCP issued (PEM)", row="P4")
    kcp_private_key: str = _setting("", "file with its private key (PEM, PKCS #8)", row="P4")
    kcp_private_key_password: SecretStr = _setting(SecretStr(""), "that private key's password", row="P4")
    kcp_old_site_code: str = _setting("", "the `site_cd` before this one: its payments are finished with it", row="P1")
    kcp_old_certificate: str = _setting("", "its service certificate (file)", row="P1")
    kcp_old_private_key: str = _setting("", "its private key (file)", row="P1")
    portone_url: str = _setting("", "PortOne's API; empty: https://api.portone.io", row="P4")
    portone_script: str = _setting("", "PortOne's window script; empty: its CDN", row="P4")
    portone_client_key: str = _setting("", "PortOne's `storeId` (for the window)", row="P4")
    portone_channel_key: str = _setting("", "PortOne's `channelKey`: which provider behind it is paid with", row="P4")
    portone_secret: SecretStr = _setting(SecretStr(""), "PortOne's V2 API secret", row="P4")
    portone_webhook_secret: SecretStr = _setting(SecretStr(""), "what PortOne signs its webhooks with", row="P6")
    portone_old_secret: SecretStr = _setting(SecretStr(""), "the API secret before this one", row="P1")
    stripe_url: str = _setting("", "Stripe's API; empty: https://api.stripe.com", row="P4")
    stripe_secret: SecretStr = _setting(SecretStr(""), "Stripe's secret key", row="P4")
    stripe_webhook_secret: SecretStr = _setting(SecretStr(""), "what Stripe signs its webhooks with", row="P6")
    stripe_old_secret: SecretStr = _setting(SecretStr(""), "the secret key before this one", row="P1")
    payment_connect_seconds: float = _setting(3, "connect timeout to a provider", unit="s", row="S23", gt=0)
    payment_read_seconds: float = _setting(10, "read timeout of a provider", unit="s", row="S23", gt=0)
    kcp_not_found_codes: str = _setting(
        "SIM404",
        "`res_cd` of NHN KCP for the net-cancel of an order that it does not know, comma separated (agreed with "
        "NHN KCP; the default is the simulator's)",
        row="S25",
    )
    payment_retries: int = _setting(
        1,
        "further tries of one payment after a temporary error that is proven not to have charged",
        unit="tries",
        row="S23",
        ge=0,
        le=5,
    )
    payment_concurrency: int = _setting(200, "payments under way in one process, at most", unit="calls", ge=1)
    payment_deadline_seconds: float = _setting(
        600,
        "an outcome still unknown after this long is settled by cancelling at the provider",
        unit="s",
        row="S27",
        gt=0,
    )
    resolver_seconds: float = _setting(
        5, "first pause before a provider is asked about an unknown outcome", unit="s", row="S27", gt=0
    )
    claim_seconds: float = _setting(
        30, "a process's lease on a payment; then another process may finish it", unit="s", row="S27", gt=0
    )

    # The circuit of each payment provider (names and meaning are Resilience4j's)
    breaker_window: int = _setting(
        10, "calls that the failure rate is taken from", unit="calls", row="S24", ge=1, le=1000
    )
    breaker_minimum_calls: int = _setting(10, "calls before the rates count", unit="calls", row="S24", ge=1)
    breaker_failure_rate: float = _setting(
        50, "the circuit opens at this share of failed calls", unit="%", row="S24", gt=0, le=100
    )
    breaker_slow_seconds: float = _setting(8, "a call that takes longer is slow", unit="s", row="S24", gt=0)
    breaker_slow_rate: float = _setting(
        100, "the circuit opens at this share of slow calls", unit="%", row="S24", gt=0, le=100
    )
    breaker_timeouts: int = _setting(3, "the circuit opens at this many timeouts ...", unit="timeouts", row="S24", ge=1)
    breaker_timeouts_seconds: float = _setting(300, "... within this long, ...", unit="s", row="S24", gt=0)
    breaker_timeout_rate: float = _setting(
        5, "... when they are this share of the calls in that time", unit="%", row="P10", ge=0, le=100
    )
    breaker_open_seconds: float = _setting(
        30, "an open circuit lets nothing through for this long", unit="s", row="S24", gt=0
    )
    breaker_probes: int = _setting(
        3, "calls let through to see whether the provider is well again", unit="calls", row="S24", ge=1
    )
    breaker_probe_seconds: float = _setting(
        30, "probes that have not all been answered after this long count as failed", unit="s", row="S24", gt=0
    )

    # Events
    outbox_batch: int = _setting(500, "outbox rows claimed at once", unit="rows", row="S18", ge=1)
    kafka_batch: int = _setting(
        2000, "the same with Kafka, which takes many as easily as few", unit="rows", row="S18", ge=1
    )
    outbox_seconds: float = _setting(0.5, "pause between two looks at an empty outbox", unit="s", row="S18", gt=0)
    outbox_lease_seconds: float = _setting(
        15,
        "a relay's lease on rows, renewed while it works: how long rows wait after a relay died",
        unit="s",
        row="S18",
        gt=0,
    )
    kafka_partitions: int = _setting(3, "partitions of the topic, when it is made", unit="partitions", row="S20", ge=1)
    kafka_replication: int = _setting(
        -1, "copies of each partition, when the topic is made; -1: the broker's default", ge=-1
    )
    kafka_heartbeat_seconds: float = _setting(
        3, "pause between two heartbeats of a consumer", unit="s", row="S20", gt=0
    )
    kafka_session_seconds: float = _setting(
        10, "without a heartbeat for this long a consumer's partitions go to others", unit="s", row="S20", gt=0
    )
    kafka_max_poll_seconds: float = _setting(
        300,
        "a consumer that has not asked for messages for this long is stuck: others take over",
        unit="s",
        row="S20",
        gt=0,
    )
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = _setting(
        "PLAINTEXT", "how brokers are spoken to"
    )
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = _setting(
        "PLAIN", "SASL mechanism, where SASL is used"
    )
    kafka_user: str = _setting("", "SASL user")
    kafka_password: SecretStr = _setting(SecretStr(""), "SASL password")
    kafka_ca_file: str = _setting(
        "", "file of the certificates (PEM) that vouch for the brokers, where SSL is used; empty: the system's"
    )
    processed_days: float = _setting(7, "how long `processed_events` are kept", unit="days", row="S19", gt=0)
    consumer_retries: int = _setting(5, "tries of one message before it is a dead letter", row="S19", ge=1)

    # Upkeep
    reconcile_minutes: float = _setting(
        10, "pause between two runs of the consistency job", unit="min", row="S14", gt=0
    )
    reconcile_page: int = _setting(100, "seats that the consistency job reads at once", unit="seats", row="S14", ge=1)
    reconcile_pause_ms: float = _setting(
        50, "pause between two pages of the consistency job", unit="ms", row="S14", ge=0
    )
    reconcile_full_every: int = _setting(
        6,
        "in one of so many runs the consistency job looks at all seats, else at those changed lately",
        unit="runs",
        row="S14",
        ge=1,
    )
    janitor_seconds: float = _setting(
        60, "pause between two searches for locks without a TTL", unit="s", row="S32", gt=0
    )
    watch_seconds: float = _setting(
        10, "pause between two looks of the health watch, which alerts", unit="s", row="S31", gt=0
    )

    @classmethod
    def load(cls, **overrides: Any) -> Settings:
        """Settings from the environment; a wrong value is one clear line (`StartupError`), not a trace."""
        try:
            return cls(**overrides)
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0]) if first["loc"] else "settings"
            name = variable_name(field) if field in cls.model_fields else field
            given = "" if _is_secret(name) else f" (given: {first.get('input')!r})"
            raise StartupError(f"{name} is not valid: {first['msg']}{given}") from None

    @property
    def embedded_postgres(self) -> bool:
        return not self.database_url

    @property
    def embedded_redis(self) -> bool:
        return not self.redis_url

    @property
    def simulated_payment(self) -> bool:
        """ONSALE_PAYMENT names the simulator: `onsale serve` plays the providers itself, under `/paysim` (P5)."""
        return self.payment.split(":")[0].strip() == "simulator"


def _is_secret(variable: str) -> bool:
    secrets = [name for name, field in Settings.model_fields.items() if isinstance(field.default, SecretStr)]
    return variable in map(variable_name, secrets)


def variable_name(field: str) -> str:
    """The environment variable of a setting: `port` -> `PORT`, `seat_guard` -> `ONSALE_SEAT_GUARD`."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return f"ONSALE_{field.upper()}"
