"""The event side of a process as one object: relay, bus, consumers and their periodic jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import databases

from core.events import measures
from core.events.bus import Bus
from core.events.bus_local import LocalBus
from core.events.consumer import Consumer
from core.events.dead_letters_postgres import DeadLetters
from core.events.outbox_postgres import Lag, Outbox
from core.events.purge_postgres import purge
from core.events.relay import Relay
from core.events.retry import RetryPlan
from core.notifications.email_consumer import EmailConsumer
from core.notifications.email_files import FileMailer
from core.notifications.email_smtp import SmtpMailer
from core.notifications.mailer import Mailer
from core.settings import Settings
from core.upkeep.jobs import Job
from core.upkeep.supervisor import Supervisor

_LAG_SECONDS = 5.0
_PURGE_SECONDS = 600.0


class EventPipeline:
    """`await start()`, then `jobs()` for the process's job list, `wake()` after an outbox row was written
    here, and `await stop()`, which waits for the batch in hand.

    `process` is the process's unique name; `base_url` is where buyers reach the site (empty: what settings
    say). `consumers`, `mailer` and `bus` are the product's own unless a test brings others.
    """

    def __init__(
        self, *, database: databases.Database, settings: Settings, supervisor: Supervisor, process: str,
        base_url: str = "", consumers: Sequence[Consumer] | None = None, mailer: Mailer | None = None,
        bus: Bus | None = None,
    ) -> None:  # fmt: skip
        self._database = database
        self._settings = settings
        self._supervisor = supervisor
        self._mailer = mailer or open_mailer(settings)
        address = base_url or settings.base_url or f"http://{settings.host}:{settings.port}"
        if consumers is None:
            consumers = [EmailConsumer(mailer=self._mailer, base_url=address, sender=settings.mail_from)]
        retries = RetryPlan(settings.consumer_retries)
        self._bus = bus or LocalBus(database=database, consumers=consumers, retries=retries)
        self._outbox = Outbox(database, process=process)
        self.dead_letters = DeadLetters(database)
        self.relay = Relay(
            outbox=self._outbox, bus=self._bus, retries=retries, batch=settings.outbox_batch,
            idle_seconds=settings.outbox_seconds, lease_seconds=settings.outbox_lease_seconds,
        )  # fmt: skip
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._bus.start()
        self._running = self._supervisor.spawn("relay", self.relay.run())

    async def stop(self) -> None:
        """Ends after the batch in hand; cancelling it loses nothing, the rows are claimed again."""
        self.relay.stop()
        if self._running is not None:
            await asyncio.gather(self._running, return_exceptions=True)
        await self._bus.stop()
        await self._mailer.close()

    def wake(self) -> None:
        self.relay.wake()

    async def lag(self) -> Lag:
        """Raises StoreUnavailable."""
        return await self._outbox.lag()

    def jobs(self) -> list[Job]:
        return [
            Job("outbox_lag", every=_LAG_SECONDS, run=self._measure_lag, lease=False, limit=5.0),
            Job("purge_events", every=_PURGE_SECONDS, run=self._purge, limit=300.0),
        ]

    async def _measure_lag(self) -> None:
        lag = await self.lag()
        measures.OUTBOX_UNSENT.set(lag.unsent)
        measures.OUTBOX_AGE.set(lag.seconds)

    async def _purge(self) -> dict[str, int]:
        return await purge(self._database, days=self._settings.processed_days)


def open_mailer(settings: Settings) -> Mailer:
    """By SMTP when a server is named, else files under the data folder. Raises StartupError for a bad
    SMTP_URL.
    """
    url = settings.smtp_url.get_secret_value()
    return SmtpMailer(url) if url else FileMailer(settings.data / "mail")
