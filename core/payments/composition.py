"""Payment put together from the settings: which providers, where they answer, and their circuits."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from pydantic import SecretStr

from core import languages
from core.errors import StartupError
from core.payments.provider_package import Limits, Played, ProviderPackage, played_keys
from core.payments.registry import PLAYED, PROVIDERS
from core.payments.toss.settings import ProviderSettings as TossSettings
from core.settings import Settings, variable_name

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from core.clock import Clock
    from core.payments.breaker import BreakerConfig
    from core.payments.gateway import PaymentGateway
    from core.payments.payments import Payments

SIMULATOR: Final = "simulator"


@dataclass(frozen=True, slots=True)
class Choice:
    """What ONSALE_PAYMENT says: providers in order of preference, real or played; no names: nothing is set."""

    names: tuple[str, ...]
    played: bool


class ProviderComposition(Protocol):
    """What a provider's `composition` module offers. `settings` are those that the provider's package declares; they
    are among the installation's.
    """

    def open_gateway(self, settings: Any, limits: Limits, played: Played | None) -> PaymentGateway: ...

    def open_old_gateway(self, settings: Any, limits: Limits) -> PaymentGateway | None:
        """The account before this one, to finish its payments with (P1); None when no old keys are given."""
        ...


def open_payments(*, settings: Settings, redis: Redis | None, clock: Clock) -> Payments:
    """Connects to nothing yet. Without `redis` each process has circuits of its own. Raises StartupError."""
    # Here: `onsale serve` asks what is chosen, and pays nobody.
    from core.payments.breaker_redis import SharedBreaker
    from core.payments.payments import Payments, Provider

    config = breaker_config(settings)
    return Payments(
        providers=[
            Provider(gateway, SharedBreaker(provider=gateway.name, config=config, redis=redis, clock=clock))
            for gateway in gateways(settings)
        ],
        when_open=settings.payment_when_open,
        concurrency=settings.payment_concurrency,
        retries=settings.payment_retries,
        alternative=alternative(settings, languages.DEFAULT),
        patience=settings.payment_connect_seconds + settings.payment_read_seconds,
        former=old_gateways(settings),
    )


def breaker_config(settings: Settings) -> BreakerConfig:
    from core.payments.breaker import BreakerConfig

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
        timeout_rate=settings.breaker_timeout_rate,
    )


def chosen(settings: Settings) -> Choice:
    """Raises StartupError for a name that is none. What the simulator cannot play is told when it is opened."""
    text = settings.payment.strip()
    kind, colon, named = text.partition(":")
    played = kind.strip() == SIMULATOR
    if colon and not played:
        raise StartupError(f"ONSALE_PAYMENT is {text!r}: only `{SIMULATOR}:` takes names after a colon")
    listed = (named if colon else "") if played else text
    names = tuple(dict.fromkeys(name.strip() for name in listed.split(",") if name.strip()))
    if played and not names:
        names = PLAYED[:1]
    if not text and isinstance(settings, TossSettings) and settings.toss_url:
        # How Toss Payments was chosen while there was no ONSALE_PAYMENT: understood for one release.
        names = ("toss",)
    for name in names:
        if name == SIMULATOR:
            raise StartupError("ONSALE_PAYMENT names the simulator beside a real provider: it is one or the other")
        if name not in PROVIDERS:
            known = ", ".join(PROVIDERS)
            raise StartupError(f"ONSALE_PAYMENT: there is no provider {name!r}; it takes {known}, or {SIMULATOR}")
    return Choice(names, played)


def require_payment(settings: Settings) -> None:
    """Raises StartupError with what to set when nothing says how buyers pay."""
    if not chosen(settings).names:
        raise StartupError(
            "ONSALE_PAYMENT is not set: name the payment provider (docs/going-live.md), or `simulator`, which plays "
            "one and moves no money (`make run` and `--demo` do)"
        )


def gateways(settings: Settings) -> list[PaymentGateway]:
    """An adapter for each provider chosen, in order of preference. Raises StartupError."""
    choice = chosen(settings)
    return [
        open_provider(
            PROVIDERS[name], settings, _limits(settings), played_at(settings, name) if choice.played else None
        )
        for name in choice.names
    ]


def open_provider(
    package: ProviderPackage, settings: Settings, limits: Limits, played: Played | None = None
) -> PaymentGateway:
    """Connects to nothing yet. Raises StartupError that names what is missing."""
    if played is None:
        for field in package.needed:
            if not _text(getattr(settings, field)):
                raise StartupError(f"ONSALE_PAYMENT names {package.name}, but {variable_name(field)} is empty")
    elif not package.played:
        raise StartupError(
            f"the simulator does not play {package.title}: use its test keys (docs/going-live.md), "
            "or leave it out of ONSALE_PAYMENT"
        )
    return _composition_of(package).open_gateway(settings, limits, played)


def takes(settings: Settings, currency: str) -> bool:
    """Whether a provider that is chosen takes it; True where none is. Raises StartupError."""
    opened = gateways(settings)
    return not opened or any(one.currencies is None or currency in one.currencies for one in opened)


def old_gateways(settings: Settings) -> list[PaymentGateway]:
    """The accounts before these, whose payments are still to be finished (P1)."""
    # An adapter is loaded only where an old key is given: two of them bring an SDK that takes a second to import.
    given = [package for name, package in PROVIDERS.items() if _has_old(settings, name)]
    opened = (_composition_of(package).open_old_gateway(settings, _limits(settings)) for package in given)
    return [gateway for gateway in opened if gateway is not None]


def old_settings(provider: str) -> list[str]:
    """The settings that name the account before this one; none of a name that is no provider's (any more)."""
    return [name for name in Settings.model_fields if name.startswith(f"{provider}_old_")]


def _has_old(settings: Settings, provider: str) -> bool:
    old = (getattr(settings, name) for name in old_settings(provider))
    return any(value.get_secret_value() if isinstance(value, SecretStr) else value for value in old)


def asked_providers(settings: Settings) -> tuple[str, ...]:
    """The providers that a new payment may go to."""
    names = chosen(settings).names
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


def played_at(settings: Settings, name: str) -> Played:
    """Where the simulator plays a provider, and the keys that it takes there."""
    client_key, secret = played_keys(settings.secret_key.get_secret_value(), name)
    page = f"{settings.simulator_page.rstrip('/') or '/paysim'}/{name}"
    script = PROVIDERS[name].played_script
    return Played(f"{simulator_url(settings)}/{name}", page, f"{page}/{script}", client_key, secret)


def _limits(settings: Settings) -> Limits:
    return Limits(settings.payment_connect_seconds, settings.payment_read_seconds, settings.payment_concurrency)


def _composition_of(package: ProviderPackage) -> ProviderComposition:
    """Loaded by name, when it is asked for: two of them bring a provider's own SDK that takes a second to import."""
    return cast(ProviderComposition, importlib.import_module(f"core.payments.{package.name}.composition"))


def _text(value: object) -> str:
    found = value.get_secret_value() if isinstance(value, SecretStr) else value
    return str(found).strip()
