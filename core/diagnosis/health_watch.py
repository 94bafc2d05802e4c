"""The health watch: looks at the installation over and over, and tells the people on call (S31, S32).

One process looks, under a lease in Redis, and keeps the book of alerts there, so that the next one goes on where it
stopped. With Redis away nobody has a lease: then every process looks for itself, from the copy of the book that it
read last, and asks PostgreSQL which of them may speak; with both away each speaks for itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from prometheus_client import Counter, Gauge
from pydantic import TypeAdapter, ValidationError

from core import audit_postgres as audit
from core import keys
from core.clock import Clock, from_millis
from core.diagnosis.finding import Cause, Level, advice
from core.diagnosis.health_check import HealthReport
from core.errors import StoreUnavailable
from core.notifications import alerts
from core.notifications.alert_messages import AlertMessage, Healed, Messenger, MessengerAway
from core.notifications.alerts import Alert, Book, Rule, Severity, Sighting
from core.process.store_redis import REDIS_LOST

if TYPE_CHECKING:
    import databases
    from redis.asyncio import Redis

    from core.process.lease_redis import Leases

log = structlog.get_logger(__name__)

FIRING = Gauge(
    "onsale_alerts_firing", "Alerts of the health watch that fire", ["alert"], multiprocess_mode="mostrecent"
)
TOLD = Counter("onsale_alert_messages", "Messages to the people on call by result: sent, refused", ["result"])

#: What needs another patience than two looks either way.
RULES: Mapping[str, Rule] = {
    Cause.REDIS_FULL: Rule(bad=1),
    Cause.CIRCUIT_OPEN: Rule(bad=1),
    Cause.PAYMENTS_MISCONFIGURED: Rule(bad=1, good=1),
    Cause.DEAD_LETTERS: Rule(bad=1, good=1),
    Cause.REFUNDS_REFUSED: Rule(bad=1, good=1),
    Cause.PROVIDER_DIFFERS: Rule(bad=1, good=1),
    Cause.REDIS_MEMORY: Rule(good=4),
    Cause.POSTGRES_FULL: Rule(good=4),
    Cause.KAFKA_AWAY: Rule(bad=3),
    # A visitor may well be between two sweeps.
    Cause.ADMISSION_STALLED: Rule(bad=3),
    Cause.CONSUMER_LAG: Rule(bad=3, good=3),
}

_LEASE = "health_watch"
_BOOK_SECONDS = 24 * 3600
_BOOK = TypeAdapter(Book)
#: How the system's own entries in the audit trail are told.
HEALED = {
    "heal.seats": "seats mended in Redis",
    "heal.locks": "locks without a TTL deleted",
    "heal.board": "boards rebuilt from PostgreSQL",
}


class Looking(Protocol):
    """`core.diagnosis.health_check.HealthCheck`."""

    async def run(self) -> HealthReport: ...


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """One alert, for pages."""

    name: str
    subject: str
    severity: Severity
    detail: str
    action: str
    since: datetime
    said: Mapping[str, Any] | None


class HealthWatch:
    """The body of the `health_watch` job, which every process runs; `firing` is what the last look knew."""

    def __init__(
        self,
        *,
        look: Looking,
        redis: Redis,
        database: databases.Database,
        leases: Leases,
        messenger: Messenger,
        clock: Clock,
        every_seconds: float,
        console_url: str = "",
    ) -> None:
        self._look = look
        self._redis = redis
        self._database = database
        self._leases = leases
        self._messenger = messenger
        self._clock = clock
        self._lease_seconds = max(2.5 * every_seconds, 10.0)
        self._console_url = console_url
        self._book = Book()
        self._shared = True

    def firing(self) -> list[FiringAlert]:
        return [
            FiringAlert(a.name, a.subject, a.severity, a.detail, a.action, from_millis(a.since * 1000), a.said)
            for a in alerts.firing(self._book)
        ]

    async def run(self) -> None:
        """One round. Never raises for a store or for Slack."""
        leads = await self._leads()
        if leads is False:
            return
        report = await self._look.run()
        now = self._clock.now().timestamp()
        before = self._book
        unknown = {str(cause) for cause in report.unknown}
        self._book = alerts.look(before, _sightings(report), unknown, RULES, now)
        await self._note_changes(before, self._book, alone=leads is None)
        await self._save()
        await self._tell(now, alone=leads is None)

    async def _leads(self) -> bool | None:
        """True: this process looks for all. False: another does. None: Redis is away, and each looks for itself."""
        try:
            await self._redis.ping()
            body = await self._redis.get(keys.ALERTS)
        except REDIS_LOST:
            self._shared = False
            return None
        leads = await self._leases.take(_LEASE, self._lease_seconds)
        # What was learnt while Redis was away is newer than what Redis kept.
        if body is not None and (not leads or self._shared):
            self._book = _parse(body) or self._book
        self._shared = True
        return leads

    async def _note_changes(self, before: Book, after: Book, *, alone: bool) -> None:
        known = {key for key, alert in before.alerts.items() if alert.firing}
        now = {key: alert for key, alert in after.alerts.items() if alert.firing}
        for key, alert in now.items():
            if key not in known:
                log.error("alert", alert=alert.name, subject=alert.subject, detail=alert.detail, advice=alert.action)
                await self._record("alert.fired", alert, alone=alone)
        for key in known - now.keys():
            alert = before.alerts[key]
            log.info("alert resolved", alert=alert.name, subject=alert.subject)
            await self._record("alert.resolved", alert, alone=alone)
        counts = dict.fromkeys((alert.name for alert in before.alerts.values()), 0)
        for alert in now.values():
            counts[alert.name] = counts.get(alert.name, 0) + 1
        for name, count in counts.items():
            FIRING.labels(name).set(count)

    async def _record(self, action: str, alert: Alert, *, alone: bool) -> None:
        """Into the audit trail, for whoever asks afterwards what happened when."""
        subject = alert.name if alert.subject == "-" else alert.subject
        detail = {"alert": alert.name, "detail": alert.detail}
        with contextlib.suppress(StoreUnavailable):
            if alone:
                await audit.record_once(
                    self._database,
                    actor=audit.SYSTEM,
                    action=action,
                    subject=subject,
                    seconds=alerts.GROUP_SECONDS,
                    **detail,
                )
            else:
                await audit.record(self._database, actor=audit.SYSTEM, action=action, subject=subject, **detail)

    async def _save(self) -> None:
        if not self._shared:
            return  # Redis is away: the first round that finds it again saves
        with contextlib.suppress(*REDIS_LOST):
            await self._redis.set(keys.ALERTS, _BOOK.dump_json(self._book), ex=_BOOK_SECONDS)

    async def _tell(self, now: float, *, alone: bool) -> None:
        news = alerts.news(self._book)
        newest, healed = await self._healed()
        if not (news or healed):
            self._book = replace(self._book, healed=newest)
            return
        if not alerts.may_send(self._book, now):
            return
        if not alone or await self._may_speak():
            try:
                await self._messenger.send(AlertMessage(news, healed, now, self._console_url))
            except MessengerAway as error:
                TOLD.labels("refused").inc()
                log.warning("alerts not told", cause=str(error), again_in_seconds=error.retry_after)
                self._book = replace(self._book, not_before=now + error.retry_after)
                await self._save()
                return
            TOLD.labels("sent").inc()
        self._book = alerts.told(self._book, news, now, healed=newest)
        await self._save()

    async def _healed(self) -> tuple[int | None, Sequence[Healed]]:
        """What the system mended since the last message; on the very first look only where to begin."""
        try:
            if self._book.healed is None:
                return await audit.newest(self._database), []
            newest, rows = await audit.healed_since(self._database, self._book.healed)
        except StoreUnavailable:
            return self._book.healed, []
        return newest, [Healed(HEALED.get(action, action), subject, count) for action, subject, count in rows]

    async def _may_speak(self) -> bool:
        try:
            return await audit.record_once(
                self._database,
                actor=audit.SYSTEM,
                action="alert.told",
                subject="-",
                seconds=alerts.GROUP_SECONDS * 0.9,
            )
        except StoreUnavailable:
            return True


def _sightings(report: HealthReport) -> list[Sighting]:
    return [
        Sighting(
            name=str(finding.cause),
            subject=subject,
            severity="fail" if finding.level is Level.FAIL else "warn",
            detail=finding.detail,
            action=advice(finding.cause),
            said=finding.said.told(),
        )
        for subject, finding in report.wrong
        if finding.cause is not None
    ]


def _parse(body: bytes | str) -> Book | None:
    """None for what another version wrote: the alerts fire anew."""
    try:
        return _BOOK.validate_json(body)
    except ValidationError:
        return None
