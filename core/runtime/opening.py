"""Opens the stores, then the rooms, from the ground floor up."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial

import databases
import structlog

from core.booking.comparing import Comparing
from core.booking.composition import addresses_of, open_checkout
from core.booking.event_refunds_postgres import EventRefunds
from core.booking.findings_postgres import FindingRows
from core.booking.mails_again_postgres import MailsAgain
from core.booking.mending import Mending
from core.clock import Clock
from core.database import close_database, line_of, open_database, raw
from core.diagnosis.composition import cap_seconds, surroundings
from core.diagnosis.diagnose import Diagnose
from core.diagnosis.health_check import HealthCheck
from core.diagnosis.health_watch import HealthWatch
from core.embedded import Engines
from core.errors import StartupError, StoreUnavailable
from core.figures.history_redis import History
from core.figures.vitals_redis import VitalsBoard
from core.messaging.composition import open_pipeline
from core.messaging.sales_projection_postgres import SalesProjection
from core.notifications.composition import email_consumer, mail_trial, open_mailer, open_messenger, site_of
from core.payments.composition import open_payments
from core.payments.payments import Payments
from core.process.calls import redis_call
from core.process.clock_redis import RedisClock
from core.process.job_watch import JobWatch
from core.process.jobs import Jobs
from core.process.lease_redis import Leases
from core.process.lua_redis import ScriptRunner
from core.process.store_redis import cluster_of, open_redis, require_sharded_channels
from core.process.store_watch import DATABASE, PAYMENT, REDIS, StoreWatch
from core.process.successes_redis import Successes
from core.process.supervisor import Supervisor
from core.runtime.parts import Runtime
from core.runtime.traces_http import traces
from core.seats.composition import open_seats
from core.settings import Settings
from core.signing_key_postgres import fingerprint
from core.upkeep.load_redis import LoadReadings
from core.upkeep.memory_redis import warn_of_eviction
from core.upkeep.reconcile import Reconcile
from core.upkeep.seat_rows_postgres import SeatRows
from core.venue.codes_postgres import Codes
from core.venue.event_store_postgres import EventStore
from core.waiting_list.composition import open_waiting_list
from core.waiting_room.composition import open_access, open_waiting_room, visit_times
from core.waiting_room.removals_postgres import Removals

log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def open_runtime(
    settings: Settings,
    engines: Engines,
    *,
    clock: Clock | None = None,
    consume: bool = False,
    must_answer: bool = True,
    end_process: Callable[[], None] = lambda: None,
) -> AsyncIterator[Runtime]:
    """Opens the stores and builds the parts. Jobs do not run until `start_jobs`. Raises StartupError.

    `consume`: this is a worker. With Kafka it is a member of the consumer groups; without, the relays of the others
    leave the consumers to it.
    Unless a store `must_answer`, one that is away is met where it is used: for who looks at what is wrong.
    `end_process` is called when a job succeeds no more in this process, and nothing has helped (`JobWatch`).
    """
    process = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    async with AsyncExitStack() as stack:
        stack.enter_context(traces(settings))
        database = await _opened(stack, engines.database_url, settings.database_pool, must_answer=must_answer)
        replica = await _replica(stack, settings.database_replica_url) if must_answer else None
        redis = await open_redis(engines.redis_url, settings.redis_pool, must_answer=must_answer)
        stack.push_async_callback(redis.aclose)
        if must_answer:
            await warn_of_eviction(redis)
        time = RedisClock(redis)
        with contextlib.suppress(StoreUnavailable):
            await time.begin()
        clock = clock or time

        sharded = settings.redis_pubsub == "sharded" and cluster_of(redis) is not None
        if sharded and must_answer:
            await require_sharded_channels(redis)
        supervisor, run = Supervisor(), ScriptRunner(redis, time.now_ms, sharded=sharded)
        leases, successes = Leases(redis, process), Successes(redis)
        jobs = Jobs(supervisor=supervisor, leases=leases, successes=successes)
        job_watch = JobWatch(
            jobs=jobs,
            leases=leases,
            successes=successes,
            stores={"database": partial(_answers, database)},
            end_process=end_process,
        )

        payments = open_payments(settings=settings, redis=redis, clock=clock)
        stack.push_async_callback(payments.aclose)
        events = EventStore(database, clock, payments.takes)
        codes = Codes(database, settings.secret_key.get_secret_value())
        access = open_access(settings, run=run, redis=redis, codes=codes, clock=clock)
        seat = open_seats(
            settings, run=run, redis=redis, database=database, events=events, fix_phase=access.fix_phase, clock=clock
        )
        queue = open_waiting_room(
            settings,
            stack,
            run=run,
            redis=redis,
            database=database,
            events=events,
            boards=seat.boards,
            access=access,
            clock=clock,
            forget=seat.known.forget,
        )

        mailer = open_mailer(settings, run)
        stack.push_async_callback(mailer.close)
        pipeline = open_pipeline(
            settings,
            database=database,
            supervisor=supervisor,
            process=process,
            # In PostgreSQL first: what is written there should not wait for a mail server.
            consumers=[SalesProjection(), email_consumer(settings, mailer)],
            consume=consume,
        )
        watched = await _store_watch(stack, engines, payments)
        checkout = open_checkout(
            settings,
            database=database,
            redis=redis,
            seats=seat.seats,
            events=events,
            payments=payments,
            access=access,
            supervisor=supervisor,
            clock=clock,
            process=process,
            wake=pipeline.wake,
            try_mail=mail_trial(settings),
            stood=lambda unknown: min(watched.stood(unknown), settings.stop_seconds),
        )

        waiting_list = open_waiting_list(
            settings,
            database=database,
            redis=redis,
            boards=seat.boards,
            halls=seat.halls,
            events=events,
            checkout=checkout,
            mailer=mailer,
            clock=clock,
            site=site_of(settings),
            try_mail=mail_trial(settings),
        )

        rows = SeatRows(database=database, replica=replica)
        reconcile = Reconcile(
            rows=rows,
            scripts=seat.scripts,
            seats=seat.seats,
            locks=seat.locks,
            page=settings.reconcile_page,
            pause=settings.reconcile_pause_ms / 1000,
        )
        secret = settings.secret_key.get_secret_value()
        vitals = VitalsBoard(
            redis=redis,
            clock=clock,
            process=process,
            locks=seat.locks,
            key=fingerprint(secret) if secret else "",
            worker=consume,
            relieved=pipeline.relieved,
        )
        vitals.ahead = time.drift
        in_line = {"redis": run.line, "postgresql": line_of(database)}
        vitals.crowded = lambda: {store: line.recently_refused() for store, line in in_line.items()}
        messenger = open_messenger(settings)
        stack.push_async_callback(messenger.aclose)
        watch = HealthWatch(
            look=HealthCheck(
                database=database,
                redis=redis,
                events=events,
                payments=payments,
                clock=clock,
                groups=pipeline.groups,
                vitals=vitals,
                cap_seconds=cap_seconds(settings),
                grace_seconds=settings.active_grace_seconds,
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
        diagnose = Diagnose(
            database=database,
            redis=redis,
            times=visit_times(settings),
            surroundings=surroundings(settings),
            clock=clock,
            events=events,
            waiting_room=queue.waiting_room,
            seats=seat.seats,
            scripts=seat.scripts,
            rows=rows,
            reconcile=reconcile,
            payments=payments,
            checkout=checkout,
            groups=pipeline.groups,
            vitals=vitals,
            troubles=engines.troubles,
        )
        findings = FindingRows(database)
        yield Runtime(
            settings=settings,
            clock=clock,
            time=time,
            secret=secret,
            process=process,
            database=database,
            redis=redis,
            run=run,
            events=events,
            codes=codes,
            access=access,
            seats=seat.seats,
            halls=seat.halls,
            payments=payments,
            waiting_room=queue.waiting_room,
            removals=Removals(database=database, waiting_room=queue.waiting_room, seats=seat.seats, clock=clock),
            draws=queue.draws,
            announcer=queue.announcer,
            drawing=queue.drawing,
            turn_log=queue.turn_log,
            checkout=checkout,
            mails=MailsAgain(
                database,
                events=events,
                addresses=addresses_of(settings),
                try_mail=mail_trial(settings),
                wake=pipeline.wake,
            ),
            waiting_list=waiting_list,
            event_refunds=EventRefunds(database, checkout, process),
            findings=findings,
            comparing=Comparing(rows=findings, payments=payments, days=settings.compare_days),
            mending=Mending(rows=findings, payments=payments, giving_back=checkout),
            reconcile=reconcile,
            pipeline=pipeline,
            diagnose=diagnose,
            load=LoadReadings(
                redis=redis,
                database=database,
                clock=clock,
                process=process,
                pool_size=settings.database_pool,
                require_payment=payments.require_available,
                payment_seconds=payments.recent_seconds,
            ),
            vitals=vitals,
            watch=watch,
            history=History(
                redis=redis, database=database, events=events, seats=seat.seats, vitals=vitals, clock=clock
            ),
            supervisor=supervisor,
            leases=leases,
            jobs=jobs,
            job_watch=job_watch,
            stores=watched,
        )


async def _opened(stack: AsyncExitStack, url: str, pool: int, *, must_answer: bool = True) -> databases.Database:
    """Raises StartupError."""
    database = await open_database(url, pool, must_answer=must_answer)
    stack.push_async_callback(close_database, database)
    return database


async def _replica(stack: AsyncExitStack, url: str) -> databases.Database | None:
    if not url:
        return None
    try:
        return await _opened(stack, url, 2)
    except StartupError as error:
        # Only the consistency job reads from it: a sale does not stop for that.
        log.warning("the read replica is not used", cause=str(error))
        return None


async def _store_watch(stack: AsyncExitStack, engines: Engines, payments: Payments) -> StoreWatch:
    """Over connections of its own, made when it runs."""
    database = await _opened(stack, engines.database_url, 1, must_answer=False)
    redis = await open_redis(engines.redis_url, 1, must_answer=False)
    stack.push_async_callback(redis.aclose)

    async def answers() -> None:
        with redis_call:
            await redis.ping()

    async def can_be_paid() -> None:
        if payments.names:  # a worker without providers finishes nothing, and knows nothing of payment
            payments.require_available()

    return StoreWatch({DATABASE: partial(_answers, database), REDIS: answers, PAYMENT: can_be_paid})


async def _answers(database: databases.Database) -> None:
    """Raises StoreUnavailable when PostgreSQL does not."""
    async with raw(database) as connection:
        await connection.fetchval("SELECT 1")
