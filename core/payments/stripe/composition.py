"""Stripe's adapter, put together from the settings: where it answers, by which account."""

from __future__ import annotations

from typing import Final

from core.payments.provider_package import Limits, Played, environment
from core.payments.stripe.adapter_http import Stripe
from core.payments.stripe.objects import PROVIDER
from core.payments.stripe.settings import ProviderSettings

API: Final = "https://api.stripe.com"


def open_gateway(settings: ProviderSettings, limits: Limits, played: Played | None) -> Stripe:
    if played is not None:
        return Stripe(
            url=played.api,
            secret=played.secret,
            webhook_secret="",
            environment=environment(PROVIDER, "played", ""),
            limits=limits,
        )
    return _gateway(settings, limits, settings.stripe_secret.get_secret_value().strip(), settings.stripe_url)


def open_old_gateway(settings: ProviderSettings, limits: Limits) -> Stripe | None:
    secret = settings.stripe_old_secret.get_secret_value().strip()
    url = settings.stripe_old_url or settings.stripe_url
    return _gateway(settings, limits, secret, url) if secret else None


def _gateway(settings: ProviderSettings, limits: Limits, secret: str, url: str) -> Stripe:
    # `sk_live_...` and `rk_live_...` move money.
    kind = "test" if secret.startswith(("sk_test_", "rk_test_")) else "live"
    return Stripe(
        url=url or API,
        secret=secret,
        webhook_secret=settings.stripe_webhook_secret.get_secret_value().strip(),
        environment=environment(PROVIDER, kind, secret),
        limits=limits,
    )
