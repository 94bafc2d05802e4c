"""PortOne's adapter, put together from the settings: where it answers, by which account."""

from __future__ import annotations

from typing import Final

from core.payments.gateway import ContentSources
from core.payments.portone.adapter_http import PortOne
from core.payments.portone.payment import PROVIDER
from core.payments.portone.played import played_channel
from core.payments.portone.settings import ProviderSettings
from core.payments.provider_package import Limits, Played, environment, origin_of

API: Final = "https://api.portone.io"
SCRIPT: Final = "https://cdn.portone.io/v2/browser-sdk.js"


def open_gateway(settings: ProviderSettings, limits: Limits, played: Played | None) -> PortOne:
    if played is not None:
        script = settings.portone_script or played.script
        opened = PortOne(
            url=played.api,
            script=script,
            store=played.client_key,
            channel=played_channel(played.client_key),
            secret=played.secret,
            webhook_secret="",
            environment=environment(PROVIDER, "played", ""),
            limits=limits,
        )
        origin = origin_of(script)
        opened.currencies, opened.sources = None, ContentSources(script=origin, connect=origin)
        return opened
    secret = settings.portone_secret.get_secret_value().strip()
    return _gateway(settings, limits, secret, settings.portone_url)


def open_old_gateway(settings: ProviderSettings, limits: Limits) -> PortOne | None:
    secret = settings.portone_old_secret.get_secret_value().strip()
    url = settings.portone_old_url or settings.portone_url
    return _gateway(settings, limits, secret, url) if secret else None


def _gateway(settings: ProviderSettings, limits: Limits, secret: str, url: str) -> PortOne:
    return PortOne(
        url=url or API,
        script=settings.portone_script or SCRIPT,
        store=settings.portone_client_key.strip(),
        channel=settings.portone_channel_key.strip(),
        secret=secret,
        webhook_secret=settings.portone_webhook_secret.get_secret_value().strip(),
        # Whether a channel is a test's or moves money only PortOne knows: it is taken for one that does.
        environment=environment(PROVIDER, "live", secret),
        limits=limits,
    )
