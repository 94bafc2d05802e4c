"""What the diagnosis is told of the settings."""

from __future__ import annotations

from core.diagnosis.question import Surroundings
from core.diagnosis.steps_redis import PATIENCE_SECONDS
from core.seats.composition import hoarding_budget
from core.settings import Settings


def cap_seconds(settings: Settings) -> float:
    """How often the load's cap on admission is renewed; 0: it never is."""
    return 0.0 if settings.active_limit_mode == "fixed" else settings.limits_seconds


def surroundings(settings: Settings) -> Surroundings:
    return Surroundings(
        data=settings.data.expanduser().absolute(),
        smtp_url=settings.smtp_url.get_secret_value(),
        mail_from=settings.mail_from,
        channels_per_process=settings.channels_per_process,
        cap_seconds=cap_seconds(settings),
        provider_seconds=settings.payment_connect_seconds + PATIENCE_SECONDS,
        played=settings.simulated_payment,
        hoarding=hoarding_budget(settings),
        extensions=settings.hold_extensions,
    )
