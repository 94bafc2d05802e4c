"""The checkout, put together from the settings."""

from __future__ import annotations

from collections.abc import Callable

import databases
from redis.asyncio import Redis

from core.booking.addresses import Addresses
from core.booking.payment_times import PaymentTimes
from core.booking.results_redis import Access, Events, Seats
from core.booking.taking import Taking
from core.clock import Clock
from core.payments.payments import Payments
from core.process.supervisor import Supervisor
from core.settings import Settings
from core.venue.event import Event


def open_checkout(
    settings: Settings,
    *,
    database: databases.Database,
    redis: Redis,
    seats: Seats,
    events: Events,
    payments: Payments,
    access: Access,
    supervisor: Supervisor,
    clock: Clock,
    process: str,
    wake: Callable[[], None] = lambda: None,
    try_mail: Callable[[Event, str, str], None] = lambda event, email, language: None,
    stood: Callable[[float], float] = lambda unknown: 0.0,
) -> Taking:
    return Taking(
        database=database,
        redis=redis,
        seats=seats,
        events=events,
        payments=payments,
        access=access,
        supervisor=supervisor,
        times=PaymentTimes(
            lease=settings.claim_seconds,
            first_pause=settings.resolver_seconds,
            deadline=settings.payment_deadline_seconds,
            window=settings.payment_window_seconds,
            retry=settings.retry_seconds,
        ),
        concurrency=settings.payment_concurrency,
        addresses=addresses_of(settings),
        clock=clock,
        process=process,
        wake=wake,
        return_seconds=settings.return_seconds,
        try_mail=try_mail,
        stood=stood,
    )


def addresses_of(settings: Settings) -> Addresses:
    return Addresses.named(settings.email_tags_at, settings.email_dots_at)
