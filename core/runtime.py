"""The composition root: everything that a process needs, opened in order and closed in the opposite one.

Nothing is connected at import. AppState take exactly what they use; only this module knows them all.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

import databases
import structlog
from redis.asyncio import Redis

from core import audit_postgres as audit
from core.booking.checkout import Checkout
from core.booking.comparing import Comparing
from core.booking.event_refunds_postgres import EventRefunds
from core.booking.findings_postgres import FindingRows
from core.booking.mending import Mending
from core.clock import Clock, SystemClock
from core.database import close_database, open_database, raw
from core.diagnosis.diagnose import Diagnose
from core.diagnosis.health_check import HealthCheck
from core.diagnosis.health_watch import HealthWatch
from core.embedded import Engines
from core.errors import StartupError, StoreUnavailable
from core.figures.history_redis import EVERY_SECONDS as HISTORY_SECONDS
from core.figures.history_redis import History
from core.figures.vitals_redis import EVERY_SECONDS as VITALS_SECONDS
from core.figures.vitals_redis import VitalsBoard
from core.messaging.pipeline import EventPipeline
from core.messaging.sales_projection_postgres import SalesProjection
from core.notifications.alert_messages import Messenger, NoMessenger
from core.notifications.composition import email_consumer, mail_trial, open_mailer
from core.notifications.slack_http import SlackMessenger
from core.payments.composition import open_payments
from core.payments.payments import Payments
from core.process.job_watch import JobWatch
from core.process.jobs import Job, Jobs
from core.process.lease_redis import Leases
from core.process.lua_redis import ScriptRunner
from core.process.store_redis import open_redis
from core.process.successes_redis import Successes
from core.process.supervisor import Supervisor
from core.seats.board_redis import BoardStore
from core.seats.guard import SeatGuard
from core.seats.guard_atomic_redis import AtomicGuard
from core.seats.guard_lock_redis import LockGuard
from core.seats.guard_optimistic_postgres import OptimisticGuard
from core.seats.halls import Halls
from core.seats.scripts_redis import SeatScripts
from core.seats.seat_lock_redis import SeatLocks
from core.seats.seats import Seats
from core.settings import Settings
from core.upkeep.janitor_redis import delete_locks_without_ttl
from core.upkeep.limits_redis import Limits
from core.upkeep.load_redis import LoadReadings
from core.upkeep.memory_redis import warn_of_eviction
from core.upkeep.reconcile import Reconcile
from core.upkeep.reconcile_rounds import ReconcileRounds
from core.upkeep.redis_watch_redis import RedisWatch
from core.upkeep.seat_rows_postgres import SeatRows
from core.upkeep.sweeping import Sweeping
from core.venue.event_store_postgres import EventStore
from core.waiting_room.beacon_http import HttpBeacon
from core.waiting_room.drawing import Announcer, Drawing
from core.waiting_room.draws_postgres import Draws
from core.waiting_room.entries_redis import Entries
from core.waiting_room.queue_redis import WaitingRoom
from core.waiting_room.removals_postgres import FRESH_SECONDS, Removals
from core.waiting_room.scripts_redis import QueueScripts

log = structlog.get_logger(__name__)

_REDIS_WATCH_SECONDS = 3.0


@dataclass(slots=True)
class Runtime:
    """One process's parts. `process` is unique among all processes of the installation."""

    settings: Settings
    clock: Clock
    secret: str
    process: str
    database: databases.Database
    redis: Redis
    run: ScriptRunner
    events: EventStore
    waiting_room: WaitingRoom
    removals: Removals
    draws: Draws
    announcer: Announcer
    drawing: Drawing
    seats: Seats
    halls: Halls
    payments: Payments
    checkout: Checkout
    event_refunds: EventRefunds
    findings: FindingRows
    comparing: Comparing
    mending: Mending
    pipeline: EventPipeline
    reconcile: Reconcile
    diagnose: Diagnose
    load: LoadReadings
    vitals: VitalsBoard
    history: History
    watch: HealthWatch
    supervisor: Supervisor
    leases: Leases
    jobs: Jobs
    job_watch: JobWatch

    async def start_jobs(self) -> None:
        """Begins the periodic work of this process: the one list of jobs, and the event pipeline."""
        await self.pipeline.start()
        self.jobs.start(*self.job_list())
        self.supervisor.run_forever("job-watch", self.job_watch.run)

    def job_list(self) -> list[Job]:
        """All periodic jobs of a process."""
        settings = self.settings
        sweeping = Sweeping(
            events=self.events, waiting_room=self.waiting_room, clock=self.clock, seconds=settings.sweep_seconds
        )
        rounds = ReconcileRounds(
            events=self.events, reconcile=self.reconcile, settings=settings, clock=self.clock, database=self.database
        )
        watch = RedisWatch(redis=self.redis, mend=rounds.everything)
        limits = Limits(
            redis=self.redis,
            readings=self.load,
            events=self.events,
            settings=settings,
            clock=self.clock,
            database=self.database,
        )
        return [
            Job(
                "sweep",
                every=settings.sweep_seconds,
                run=sweeping.run,
                limit=10.0,
                needs=frozenset({"redis"}),
                vital=True,
            ),
            # A draw that stands still keeps everybody out.
            Job(
                "draw",
                every=settings.sweep_seconds,
                run=self.drawing.run,
                limit=60.0,
                needs=frozenset({"redis", "database"}),
                vital=True,
            ),
            Job(
                "payments",
                every=1.0,
                run=self._finish_payments,
                lease=False,
                needs=frozenset({"database"}),
                vital=True,
            ),
            Job("event_refunds", every=1.0, run=self.event_refunds.work, lease=False, limit=60.0),
            # It looks every minute whether an account is due: hourly each, sooner after a failure.
            Job("provider_lists", every=60.0, run=self.comparing.run, limit=1800.0),
            Job("reconcile", every=settings.reconcile_minutes * 60, run=rounds.run, limit=1800.0),
            Job("redis_watch", every=_REDIS_WATCH_SECONDS, run=watch.run, limit=600.0),
            Job("paying", every=settings.janitor_seconds, run=rounds.paying, limit=60.0),
            Job("janitor", every=settings.janitor_seconds, run=self._delete_stray_locks, limit=60.0),
            Job("load", every=settings.limits_seconds, run=self.load.publish, lease=False, limit=5.0),
            Job("limits", every=settings.limits_seconds, run=limits.run, limit=10.0),
            Job("vitals", every=VITALS_SECONDS, run=self.vitals.publish, lease=False, limit=5.0),
            Job("history", every=HISTORY_SECONDS, run=self.history.run, limit=10.0),
            # In every process: it has a lease of its own, and goes on without one while Redis is away.
            Job("health_watch", every=settings.watch_seconds, run=self.watch.run, lease=False, limit=60.0),
            # A process that still lets in whom an operator has put out is no use to them.
            Job(
                "removals",
                every=FRESH_SECONDS,
                run=self.removals.refresh,
                lease=False,
                limit=5.0,
                needs=frozenset({"database"}),
            ),
            *self.pipeline.jobs(),
        ]

    async def stop_jobs(self, drain_seconds: float) -> int:
        """Takes on nothing new and lets what is under way end; returns how many tasks had to be cut off.

        Payments that are cut off are finished by another process, or by the next start.
        """
        await self.jobs.stop()
        await self.pipeline.stop()
        with contextlib.suppress(StoreUnavailable):
            await self.vitals.withdraw()
        return await self.supervisor.drain(drain_seconds)

    async def _delete_stray_locks(self) -> None:
        deleted = await delete_locks_without_ttl(self.redis)
        if deleted:
            await audit.record(
                self.database,
                actor=audit.SYSTEM,
                action="heal.locks",
                subject="-",
                count=len(deleted),
                locks=deleted[:20],
            )

    async def _finish_payments(self) -> None:
        await self.checkout.finish_due(wait=False)


@contextlib.asynccontextmanager
async def open_runtime(
    settings: Settings,
    engines: Engines,
    *,
    clock: Clock | None = None,
    consume: bool = False,
    end_process: Callable[[], None] = lambda: None,
) -> AsyncIterator[Runtime]:
    """Opens the stores and builds the parts. Jobs do not run until `start_jobs`. Raises StartupError.

    `consume`: with Kafka, this process is a member of the consumer groups (a worker); without Kafka all are.
    `end_process` is called when a job succeeds no more in this process, and nothing has helped (`JobWatch`).
    """
    clock = clock or SystemClock()
    secret = settings.secret_key.get_secret_value()
    process = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    async with contextlib.AsyncExitStack() as stack:
        database = await open_database(engines.database_url, settings.database_pool)
        stack.push_async_callback(close_database, database)
        replica = None
        if settings.database_replica_url:
            try:
                replica = await open_database(settings.database_replica_url, 2)
                stack.push_async_callback(close_database, replica)
            except StartupError as error:
                # Only the consistency job reads from it: a sale does not stop for that.
                log.warning("the read replica is not used", cause=str(error))
        redis = await open_redis(engines.redis_url, settings.redis_pool)
        stack.push_async_callback(redis.aclose)
        await warn_of_eviction(redis)
        supervisor = Supervisor()
        run = ScriptRunner(redis)
        scripts = SeatScripts(run, settings)
        boards = BoardStore(redis=redis, database=database, scripts=scripts)
        leases = Leases(redis, process)
        payments = open_payments(settings=settings, redis=redis, clock=clock)
        stack.push_async_callback(payments.aclose)
        events = EventStore(database, clock, payments.takes)
        locks = SeatLocks(run, wait=settings.lock_wait_seconds, lease=settings.lock_lease_seconds)
        halls = Halls(events.plan)
        seats = Seats(
            scripts=scripts,
            boards=boards,
            guard=seat_guard(settings, scripts, locks, database, redis),
            halls=halls,
        )
        rows = SeatRows(database=database, replica=replica)
        queue_scripts = QueueScripts(run=run, settings=settings, clock=clock)
        draws = Draws(database)
        beacon = HttpBeacon(settings.beacon_url) if settings.beacon_url else None
        if beacon is not None:
            stack.push_async_callback(beacon.aclose)
        announcer = Announcer(draws=draws, events=events, beacon=beacon, clock=clock)
        waiting_room = WaitingRoom(
            scripts=queue_scripts, boards=boards, settings=settings, secret=secret, clock=clock, openings=announcer
        )
        entries = Entries(redis=redis, scripts=queue_scripts, grace_seconds=settings.waiting_grace_seconds, clock=clock)
        drawing = Drawing(events=events, draws=draws, entries=entries, announcer=announcer, beacon=beacon, clock=clock)
        mailer = open_mailer(settings, run)
        stack.push_async_callback(mailer.close)
        pipeline = EventPipeline(
            database=database,
            settings=settings,
            supervisor=supervisor,
            process=process,
            # In PostgreSQL first: what is written there should not wait for a mail server.
            consumers=[SalesProjection(), email_consumer(settings, mailer)],
            consume=consume,
        )
        checkout = Checkout(
            database=database,
            redis=redis,
            seats=seats,
            events=events,
            payments=payments,
            supervisor=supervisor,
            settings=settings,
            clock=clock,
            process=process,
            wake=pipeline.wake,
            try_mail=mail_trial(settings),
        )
        reconcile = Reconcile(
            rows=rows,
            scripts=scripts,
            seats=seats,
            locks=locks,
            page=settings.reconcile_page,
            pause=settings.reconcile_pause_ms / 1000,
        )
        load = LoadReadings(
            redis=redis,
            database=database,
            clock=clock,
            process=process,
            pool_size=settings.database_pool,
            require_payment=payments.require_available,
            payment_seconds=payments.recent_seconds,
        )
        vitals = VitalsBoard(redis=redis, clock=clock, process=process, locks=locks)
        messenger = open_messenger(settings)
        stack.push_async_callback(messenger.aclose)
        successes = Successes(redis)
        jobs = Jobs(supervisor=supervisor, leases=leases, successes=successes)
        job_watch = JobWatch(
            jobs=jobs,
            leases=leases,
            successes=successes,
            stores={"database": partial(_answers, database)},
            end_process=end_process,
        )
        watch = HealthWatch(
            look=HealthCheck(
                database=database,
                redis=redis,
                events=events,
                payments=payments,
                clock=clock,
                groups=pipeline.groups,
                vitals=vitals,
                late=job_watch.late,
            ),
            redis=redis,
            database=database,
            leases=leases,
            messenger=messenger,
            clock=clock,
            every_seconds=settings.watch_seconds,
            console_url=f"{settings.base_url.rstrip('/')}/ops" if settings.base_url else "",
        )
        findings = FindingRows(database)
        yield Runtime(
            settings=settings,
            clock=clock,
            secret=secret,
            process=process,
            database=database,
            redis=redis,
            run=run,
            events=events,
            seats=seats,
            halls=halls,
            payments=payments,
            waiting_room=waiting_room,
            removals=Removals(database=database, waiting_room=waiting_room, seats=seats, clock=clock),
            draws=draws,
            announcer=announcer,
            drawing=drawing,
            checkout=checkout,
            event_refunds=EventRefunds(database, checkout, process),
            findings=findings,
            comparing=Comparing(rows=findings, payments=payments, days=settings.compare_days),
            mending=Mending(rows=findings, payments=payments, giving_back=checkout),
            reconcile=reconcile,
            pipeline=pipeline,
            diagnose=Diagnose(
                database=database,
                redis=redis,
                settings=settings,
                clock=clock,
                events=events,
                waiting_room=waiting_room,
                seats=seats,
                scripts=scripts,
                rows=rows,
                reconcile=reconcile,
                payments=payments,
                checkout=checkout,
                groups=pipeline.groups,
                vitals=vitals,
            ),
            load=load,
            vitals=vitals,
            watch=watch,
            history=History(redis=redis, database=database, events=events, seats=seats, vitals=vitals, clock=clock),
            supervisor=supervisor,
            leases=leases,
            jobs=jobs,
            job_watch=job_watch,
        )


async def _answers(database: databases.Database) -> None:
    """Raises StoreUnavailable when PostgreSQL does not."""
    async with raw(database) as connection:
        await connection.fetchval("SELECT 1")


def seat_guard(
    settings: Settings, scripts: SeatScripts, locks: SeatLocks, database: databases.Database, redis: Redis
) -> SeatGuard:
    """The guard that the setting names (S4)."""
    match settings.seat_guard:
        case "lock":
            return LockGuard(scripts, locks, redis)
        case "optimistic":
            return OptimisticGuard(scripts, database, redis, settings.optimistic_attempts)
        case _:
            return AtomicGuard(scripts)


def open_messenger(settings: Settings) -> Messenger:
    """To Slack when a webhook is named."""
    url = settings.slack_webhook_url.get_secret_value()
    return SlackMessenger(url) if url else NoMessenger()
