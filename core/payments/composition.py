"""Payment put together from the settings: which providers, where they answer, and their circuits."""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis

from core import languages
from core.clock import Clock
from core.errors import StartupError
from core.payments.breaker import BreakerConfig
from core.payments.breaker_redis import SharedBreaker
from core.payments.gateway import PaymentGateway
from core.payments.kcp_http import NhnKcp
from core.payments.kcp_signature import RsaSigner, Signer, SimulatorSigner
from core.payments.payments import Payments, Provider
from core.payments.toss_http import TossPayments
from core.settings import Settings

#: Every provider there is; the first is the one that the simulator's old paths speak of.
PROVIDERS = ("toss", "kcp")


def open_payments(*, settings: Settings, redis: Redis | None, clock: Clock) -> Payments:
    """Connects to nothing yet. Without `redis` each process has circuits of its own. Raises StartupError."""
    config = breaker_config(settings)
    return Payments(
        providers=[
            Provider(
                _gateway(settings, name),
                SharedBreaker(provider=name, config=config, redis=redis, clock=clock),
            )
            for name in provider_names(settings)
        ],
        when_open=settings.payment_when_open,
        concurrency=settings.payment_concurrency,
        retries=settings.payment_retries,
        alternative=alternative(settings, languages.DEFAULT),
        patience=settings.payment_connect_seconds + settings.payment_read_seconds,
    )


def breaker_config(settings: Settings) -> BreakerConfig:
    return BreakerConfig(
        sliding_window_size=settings.breaker_window,
        minimum_number_of_calls=settings.breaker_minimum_calls,
        failure_rate_threshold=settings.breaker_failure_rate,
        slow_call_duration_threshold=settings.breaker_slow_seconds,
        slow_call_rate_threshold=settings.breaker_slow_rate,
        wait_duration_in_open_state=settings.breaker_open_seconds,
        permitted_number_of_calls_in_half_open_state=settings.breaker_probes,
        max_wait_duration_in_half_open_state=settings.breaker_probe_seconds,
        timeout_limit=settings.breaker_timeouts,
        timeout_period=settings.breaker_timeouts_seconds,
    )


def provider_names(settings: Settings) -> tuple[str, ...]:
    """In order of preference. Raises StartupError for a name that is none, or that has no URL while another has one."""
    urls = {"toss": settings.payment_url, "kcp": settings.kcp_url}
    named = [name.strip() for name in settings.payment_providers.split(",") if name.strip()]
    # "simulator" is what the setting was called while there was one provider.
    names = tuple(dict.fromkeys("toss" if name == "simulator" else name for name in named))
    for name in names:
        if name not in PROVIDERS:
            raise StartupError(f"ONSALE_PAYMENT_PROVIDERS: there is no {name!r}; it takes {', '.join(PROVIDERS)}")
        if not urls[name] and not settings.simulated_payment:
            variable = "ONSALE_PAYMENT_URL" if name == "toss" else "ONSALE_KCP_URL"
            raise StartupError(f"ONSALE_PAYMENT_PROVIDERS names {name}, but {variable} is empty")
    return names or tuple(name for name in PROVIDERS if urls[name]) or PROVIDERS


def asked_providers(settings: Settings) -> tuple[str, ...]:
    """The providers that a new payment may go to: the page needs the buyer's authorisation at each of them."""
    names = provider_names(settings)
    return names if settings.payment_when_open == "fallback" else names[:1]


def alternative(settings: Settings, language: str) -> str:
    """What buyers are told to use while card payment is away: `en=TEXT;ko=TEXT`, or one text for all languages."""
    text = settings.payment_alternative
    named = dict(part.strip().split("=", 1) for part in text.split(";") if "=" in part)
    if not named.keys() & languages.LANGUAGES.keys():
        return text
    return named.get(language) or named.get(languages.DEFAULT) or next(iter(named.values()))


def simulator_url(settings: Settings) -> str:
    """Where the simulator's providers answer: `<this>/toss`, `<this>/kcp`."""
    return (settings.simulator_url or f"http://127.0.0.1:{settings.port}/paysim").rstrip("/")


def _gateway(settings: Settings, name: str) -> PaymentGateway:
    connect, read = settings.payment_connect_seconds, settings.payment_read_seconds
    charges = settings.payment_concurrency
    if name == "toss":
        return TossPayments(
            url=settings.payment_url or f"{simulator_url(settings)}/toss",
            secret=settings.payment_secret.get_secret_value().strip(),
            connect=connect,
            read=read,
            charges=charges,
        )
    codes = frozenset(code.strip() for code in settings.kcp_not_found_codes.split(",") if code.strip())
    return NhnKcp(
        url=settings.kcp_url or f"{simulator_url(settings)}/kcp",
        site_code=settings.kcp_site_code,
        signer=_signer(settings),
        not_found=codes,
        connect=connect,
        read=read,
        charges=charges,
    )


def _signer(settings: Settings) -> Signer:
    if not settings.kcp_url:
        return SimulatorSigner()
    if not (settings.kcp_certificate and settings.kcp_private_key):
        raise StartupError("ONSALE_KCP_URL is set, so ONSALE_KCP_CERTIFICATE and ONSALE_KCP_PRIVATE_KEY are needed too")
    return RsaSigner(
        certificate=Path(settings.kcp_certificate),
        private_key=Path(settings.kcp_private_key),
        password=settings.kcp_private_key_password.get_secret_value(),
    )
