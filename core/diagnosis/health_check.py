"""How the installation stands: the part of the walk that is about nobody in particular, looked at over and over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.clock import Clock
from core.diagnosis import (
    board_redis,
    clocks_postgres,
    consumers,
    dependencies_postgres,
    dependencies_redis,
    draws_postgres,
    jobs_redis,
    messages_postgres,
    money,
    money_postgres,
    processes_redis,
    queue_redis,
)
from core.diagnosis.finding import Cause, Finding, Level, fail, warn
from core.errors import StoreUnavailable
from core.figures.vitals_redis import VitalsBoard
from core.payments.payments import Payments
from core.process.job_health import LateJob
from core.process.once import Once
from core.process.store_redis import REDIS_LOST
from core.process.watched_tasks import beside
from core.sentences import said
from core.venue.event import Event, SaleState
from core.venue.event_store_postgres import EventStore

if TYPE_CHECKING:
    import databases
    from redis.asyncio import Redis

#: A store that has not answered after this long is away, in seconds.
PATIENCE_SECONDS = 3.0
#: Kafka takes several connections to say how its groups stand, and gives up by itself before this.
_KAFKA_PATIENCE_SECONDS = 10.0
#: Sales looked at in one round, at most: the general checks find what is wrong with all of them.
_MOST_SALES = 50

_OF_POSTGRES = frozenset(
    {
        Cause.DISK_FULL,
        Cause.POSTGRES_READ_ONLY,
        Cause.POSTGRES_EXHAUSTED,
        Cause.POSTGRES_FULL,
        Cause.POSTGRES_BLOCKED,
        Cause.RELAY_STUCK,
        Cause.MAIL_AWAY,
        Cause.DEAD_LETTERS,
        Cause.REFUNDS_REFUSED,
        Cause.PAYMENTS_MISCONFIGURED,
        Cause.PROVIDER_DIFFERS,
        Cause.COMPARISON_LATE,
        Cause.DRAW_WAITS,
    }
)
_OF_REDIS = frozenset(
    {
        Cause.DISK_FULL,
        Cause.REDIS_READ_ONLY,
        Cause.REDIS_FULL,
        Cause.REDIS_MEMORY,
        Cause.REDIS_EVICTS,
        Cause.BOARD_LOST,
        Cause.SWEEP_STOPPED,
        Cause.LEASE_LEFT_BEHIND,
        Cause.CAP_LEFT_BEHIND,
        Cause.QUEUE_GHOSTS,
        Cause.SILENCE_FORGIVEN,
        Cause.ADMISSION_STALLED,
        Cause.PROCESS_SILENT,
        Cause.CLOCK_DIFFERS,
        Cause.OVERLOADED,
    }
)
_OF_KAFKA = frozenset({Cause.CONSUMER_LAG})
#: The jobs whose lateness has a name of its own.
OF_JOBS = {"sweep": Cause.SWEEP_STOPPED, "payments": Cause.PAYMENTS_STOPPED}
#: All that a look can find; other findings of the same steps (a full queue, a paused sale) are no fault.
WATCHED = (
    _OF_POSTGRES
    | _OF_REDIS
    | _OF_KAFKA
    | {
        Cause.PAYMENTS_STOPPED,
        Cause.JOB_STOPPED,
        Cause.POSTGRES_AWAY,
        Cause.REDIS_AWAY,
        Cause.KAFKA_AWAY,
        Cause.CIRCUIT_OPEN,
    }
)
#: Found in one event's steps, but true of all of them.
_GENERAL = frozenset({Cause.SWEEP_STOPPED, Cause.LEASE_LEFT_BEHIND})


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What is wrong, with the event's slug or `-`; and what could not be looked at."""

    wrong: Sequence[tuple[str, Finding]]
    unknown: frozenset[Cause]


class HealthCheck:
    """Never raises for a store that is away, and takes `PATIENCE_SECONDS` a store at most: one that hangs is away."""

    def __init__(
        self,
        *,
        database: databases.Database,
        redis: Redis,
        events: EventStore,
        payments: Payments,
        clock: Clock,
        groups: consumers.Groups,
        vitals: VitalsBoard,
        cap_seconds: float = 0.0,
        grace_seconds: float = 30.0,
        late: Callable[[], Sequence[LateJob]] = tuple,
    ) -> None:
        """`cap_seconds`, `grace_seconds`: as in `queue_redis.queue`."""
        self._database = database
        self._redis = redis
        self._events = events
        self._payments = payments
        self._clock = clock
        self._groups = groups
        self._vitals = vitals
        self._cap_seconds = cap_seconds
        self._grace_seconds = grace_seconds
        self._late = late
        self._probes = Once[Any]("probe")

    async def run(self) -> HealthReport:
        found: list[tuple[str, Finding]] = []
        unknown: set[Cause] = set()
        kafka = self._all(found, "-", "kafka", Cause.KAFKA_AWAY, self._of_kafka, _KAFKA_PATIENCE_SECONDS)
        # Meanwhile: it takes longer than the others, away above all.
        async with beside("health of kafka", kafka) as of_kafka:
            if not await self._all(found, "-", "postgresql", Cause.POSTGRES_AWAY, self._of_postgres):
                unknown |= _OF_POSTGRES
            if not await self._all(found, "-", "redis", Cause.REDIS_AWAY, self._of_redis):
                unknown |= _OF_REDIS
            else:
                for event in await self._open():
                    if not await self._all(found, event.slug, "redis", Cause.REDIS_AWAY, self._of_sale(event)):
                        unknown |= _OF_REDIS
                        break
            if not await of_kafka:
                unknown |= _OF_KAFKA
        found += [
            ("-", finding) async for finding in money.circuits(self._payments.circuits(), self._payments.when_open)
        ]
        found += [("-", finding) for finding in self._of_jobs()]
        wrong = [
            (finding.subject or ("-" if finding.cause in _GENERAL else subject), finding)
            for subject, finding in found
            if finding.level is not Level.PASS and finding.cause in WATCHED
        ]
        return HealthReport(wrong, frozenset(unknown))

    def _of_postgres(self) -> AsyncIterator[Finding]:
        async def steps() -> AsyncIterator[Finding]:
            async for finding in dependencies_postgres.postgres(self._database):
                yield finding
                if finding.cause in (Cause.POSTGRES_AWAY, Cause.POSTGRES_EXHAUSTED):
                    return
            async for finding in messages_postgres.pipeline(self._database):
                yield finding
            async for finding in money_postgres.refunds(self._database):
                yield finding
            async for finding in money_postgres.misconfigured(self._database):
                yield finding
            async for finding in money_postgres.provider_lists(self._database):
                yield finding
            async for finding in draws_postgres.draws(self._database):
                yield finding
            async for finding in clocks_postgres.postgres_clock(self._database, self._clock):
                yield finding

        return steps()

    def _of_redis(self) -> AsyncIterator[Finding]:
        async def steps() -> AsyncIterator[Finding]:
            async for finding in dependencies_redis.redis(self._redis):
                yield finding
                if finding.cause is Cause.REDIS_AWAY:
                    return
            found = await processes_redis.known_processes(self._vitals)
            async for finding in processes_redis.processes(found, self._clock):
                yield finding
            for finding in clocks_postgres.process_clocks(found.alive):
                yield finding
            for finding in processes_redis.crowded(found):
                yield finding

        return steps()

    def _of_jobs(self) -> Iterator[Finding]:
        late = self._late()
        for job in late:
            if job.name in OF_JOBS:
                yield fail("jobs", OF_JOBS[job.name], said("jobs.late", seconds=round(job.seconds)))
        others = {job.name: job.seconds for job in late if job.name not in OF_JOBS}
        if others:
            yield warn("jobs", Cause.JOB_STOPPED, jobs_redis.late_jobs(others))

    def _of_kafka(self) -> AsyncIterator[Finding]:
        return consumers.consumers(self._groups)

    def _of_sale(self, event: Event) -> Callable[[], AsyncIterator[Finding]]:
        async def steps() -> AsyncIterator[Finding]:
            found = await processes_redis.known_processes(self._vitals)
            async for finding in jobs_redis.jobs(self._redis, found, on_sale=True, served=True):
                # The others are judged by this process's own watch over its jobs.
                if finding.cause in _GENERAL:
                    yield finding
            async for finding in board_redis.board(self._redis, event.slug, None, self._database):
                yield finding
            async for finding in queue_redis.queue(
                self._redis,
                event.slug,
                event,
                self._clock.now(),
                cap_seconds=self._cap_seconds,
                grace_seconds=self._grace_seconds,
                payers=None,
            ):
                yield finding

        return steps

    async def _open(self) -> Sequence[Event]:
        """The open sales; with PostgreSQL away none: what is known of it is told already."""
        try:
            events = await self._probes("events", self._list, limit=PATIENCE_SECONDS)
        except (StoreUnavailable, TimeoutError):
            return []
        now = self._clock.now()
        return [event for event in events if event.sale_state(now) is SaleState.OPEN][:_MOST_SALES]

    async def _list(self) -> Sequence[Event]:
        return await self._events.list()

    async def _all(
        self,
        found: list[tuple[str, Finding]],
        subject: str,
        store: str,
        away: Cause,
        steps: Callable[[], AsyncIterator[Finding]],
        patience: float = PATIENCE_SECONDS,
    ) -> bool:
        """Adds what the steps find; False when the store is away."""

        async def walk() -> list[Finding]:
            return [finding async for finding in steps()]

        try:
            findings = await self._probes(f"{store} {subject}", walk, limit=patience)
        except TimeoutError:
            findings = [fail(store, away, said("store.late", seconds=f"{patience:g}"))]
        except (StoreUnavailable, *REDIS_LOST) as error:
            findings = [fail(store, away, said("store.went_away", why=type(error.__cause__ or error).__name__))]
        # A store that is away is so whatever was asked about.
        found.extend(("-" if finding.cause is away else subject, finding) for finding in findings)
        return not any(finding.cause is away for finding in findings)
