"""What the registry knows of a provider without loading its code: a line of it opens an adapter when it is asked for.

Adapters are loaded by name, because two of them bring a provider's own SDK that takes a second to import.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
from dataclasses import dataclass
from typing import Protocol, cast
from urllib.parse import urlsplit

from core.errors import StartupError
from core.payments.gateway import PaymentGateway
from core.settings import Settings, variable_name


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the calls to one provider. Times in seconds, `charges` in calls under way."""

    connect: float
    read: float
    charges: int


@dataclass(frozen=True, slots=True)
class Played:
    """Where the simulator plays a provider: `api` for the server, `page` for the buyer's browser (perhaps relative)."""

    api: str
    page: str
    client_key: str
    secret: str


class AdapterModule(Protocol):
    """What a provider's `adapter_http` module offers the registry."""

    def open_gateway(self, settings: Settings, limits: Limits, played: Played | None) -> PaymentGateway: ...

    def open_old_gateway(self, settings: Settings, limits: Limits) -> PaymentGateway | None:
        """The account before this one, to finish its payments with (P1); None when no old keys are given."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderPackage:
    """`name` in settings, URLs, metrics and the database; `needed`: settings without which a real one cannot be asked.
    `played`: the simulator has it. `module`: where the adapter is.
    """

    name: str
    title: str
    module: str
    needed: tuple[str, ...]
    played: bool = False

    def open(self, settings: Settings, limits: Limits, played: Played | None = None) -> PaymentGateway:
        """Connects to nothing yet. Raises StartupError that names what is missing."""
        if played is None:
            for field in self.needed:
                if not _text(getattr(settings, field)):
                    raise StartupError(f"ONSALE_PAYMENT names {self.name}, but {variable_name(field)} is empty")
        elif not self.played:
            raise StartupError(
                f"the simulator does not play {self.title}: use its test keys (docs/going-live.md), "
                "or leave it out of ONSALE_PAYMENT"
            )
        return self._adapter().open_gateway(settings, limits, played)

    def open_old(self, settings: Settings, limits: Limits) -> PaymentGateway | None:
        return self._adapter().open_old_gateway(settings, limits)

    def _adapter(self) -> AdapterModule:
        return cast(AdapterModule, importlib.import_module(self.module))


def played_keys(secret_key: str, provider: str) -> tuple[str, str]:
    """The client key and the secret of a played provider: the shop's own, so that nobody else confirms there (P5)."""
    made = hmac.new(secret_key.encode(), f"paysim:{provider}".encode(), hashlib.sha256).hexdigest()
    return f"test_ck_{made[:24]}", f"test_sk_{made[24:56]}"


def environment(provider: str, kind: str, account: str) -> str:
    """`PaymentGateway.environment`: `kind` is test, live or played; of an account nothing can be told from the hash."""
    digest = hashlib.sha256(f"{provider}\n{kind}\n{account}".encode()).hexdigest()
    return f"{kind}:{digest[:16]}"


def origin_of(url: str) -> tuple[str, ...]:
    """As a Content-Security-Policy takes it; nothing for an address at the shop's own origin."""
    parts = urlsplit(url)
    return (f"{parts.scheme}://{parts.netloc}",) if parts.netloc else ()


def _text(value: object) -> str:
    found = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return str(found).strip()
