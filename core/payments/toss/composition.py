"""Toss Payments' adapter, put together from the settings: where it answers, by which account."""

from __future__ import annotations

from typing import Final

import structlog

from core.errors import StartupError
from core.payments.provider_package import Limits, Played, environment
from core.payments.toss.adapter_http import TossPayments
from core.payments.toss.payment import PROVIDER
from core.payments.toss.settings import ProviderSettings

log = structlog.get_logger(__name__)

API: Final = "https://api.tosspayments.com"
SCRIPT: Final = "https://js.tosspayments.com/v2/standard"


def open_gateway(settings: ProviderSettings, limits: Limits, played: Played | None) -> TossPayments:
    secret = settings.toss_secret.get_secret_value().strip()
    if played is not None:
        if secret or settings.toss_client_key:
            # For trying what a wrong key does; whoever only forgot them there reads why nobody can pay.
            log.warning("simulator has keys of its own", given=["ONSALE_TOSS_CLIENT_KEY", "ONSALE_TOSS_SECRET"])
        return TossPayments(
            url=played.api,
            script=settings.toss_script or played.script,
            client_key=settings.toss_client_key or played.client_key,
            secret=secret or played.secret,
            environment=environment(PROVIDER, "played", ""),
            played=True,
            limits=limits,
        )
    client_key = settings.toss_client_key.strip()
    if {client_key[:5], secret[:5]} == {"live_", "test_"}:
        # Each payment would be authorised with one and refused to the other.
        raise StartupError(
            "ONSALE_TOSS_CLIENT_KEY and ONSALE_TOSS_SECRET are of two kinds: one is a test key, the other moves money"
        )
    return TossPayments(
        url=settings.toss_url or API,
        script=settings.toss_script or SCRIPT,
        client_key=client_key,
        secret=secret,
        environment=_environment(secret),
        played=False,
        limits=limits,
    )


def open_old_gateway(settings: ProviderSettings, limits: Limits) -> TossPayments | None:
    secret = settings.toss_old_secret.get_secret_value().strip()
    if not secret:
        return None
    url = settings.toss_old_url or settings.toss_url or API
    return TossPayments(
        url=url,
        script=SCRIPT,
        client_key="",
        secret=secret,
        environment=_environment(secret),
        played=False,
        limits=limits,
    )


def _environment(secret: str) -> str:
    # `live_sk_...` and `live_gsk_...` move money, `test_...` do not; which account it is only the key tells.
    return environment(PROVIDER, "live" if secret.startswith("live_") else "test", secret)
