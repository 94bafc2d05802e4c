"""The walk through S33, and the mends that are safe to make while a sale runs.

Nothing is changed and nothing is started unless a mend is asked for. Every step ends within a few seconds and none
raises: a store that is away is a finding, and what the other one knows is walked all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from core.booking.checkout import Checkout
from core.clock import Clock
from core.diagnosis import (
    board_redis,
    clocks_postgres,
    consumers,
    dependencies_postgres,
    dependencies_redis,
    draws_postgres,
    jobs_redis,
    keys_redis,
    mail_smtp,
    messages_postgres,
    money,
    money_postgres,
    people_postgres,
    people_redis,
    processes_redis,
    providers_http,
    queue_redis,
    sale,
    seats_redis,
    shares_redis,
)
from core.diagnosis.disk import disk
from core.diagnosis.finding import Cause, Finding, Level, advice, fail, likeliest, reply
from core.diagnosis.mending import Mending, Patient
from core.diagnosis.question import Diagnosis, Question, Surroundings, Walk
from core.diagnosis.steps_redis import PATIENCE_SECONDS, step
from core.errors import EventNotFound
from core.figures.vitals_redis import VitalsBoard
from core.payments.payments import Payments
from core.process.tasks import awaited, end
from core.seats.scripts_redis import SeatScripts
from core.seats.seats import Seats
from core.sentences import said
from core.signing_key_postgres import known_fingerprint
from core.upkeep.reconcile import Reconcile
from core.upkeep.seat_rows_postgres import SeatRows
from core.venue.event import Event, SaleState
from core.venue.event_store_postgres import EventStore
from core.waiting_room.queue_redis import WaitingRoom
from core.waiting_room.visit_times import VisitTimes

if TYPE_CHECKING:
    import databases
    from redis.asyncio import Redis

#: Kafka takes several connections to say how its groups stand, and gives up by itself before this.
_KAFKA_SECONDS: Final = 10.0
#: Of a reservation, looked at one by one.
_MOST_SEATS: Final = 10

#: By "postgresql" and "redis": what is wrong with an embedded engine, in one line; blocks for a few seconds.
Troubles = Mapping[str, Callable[[], str | None]]


class Diagnose:
    """Never raises for a store that is away: that is a finding."""

    def __init__(
        self,
        *,
        database: databases.Database,
        redis: Redis,
        times: VisitTimes,
        surroundings: Surroundings,
        clock: Clock,
        events: EventStore,
        waiting_room: WaitingRoom,
        seats: Seats,
        scripts: SeatScripts,
        rows: SeatRows,
        reconcile: Reconcile,
        payments: Payments,
        checkout: Checkout,
        groups: consumers.Groups,
        vitals: VitalsBoard,
        troubles: Troubles | None = None,
    ) -> None:
        self._database = database
        self._redis = redis
        self._times = times
        self._here = surroundings
        self._clock = clock
        self._events = events
        self._waiting_room = waiting_room
        self._seats = seats
        self._scripts = scripts
        self._rows = rows
        self._payments = payments
        self._groups = groups
        self._vitals = vitals
        self._troubles = troubles or {}
        self.mending = Mending(
            database=database,
            redis=redis,
            waiting_room=waiting_room,
            seats=seats,
            reconcile=reconcile,
            checkout=checkout,
        )

    async def run(
        self, question: Question, *, fix: bool = False, tell: Callable[[Finding], object] = lambda finding: None
    ) -> Diagnosis:
        """`tell` hears of each finding as soon as it is there, mended where it was."""
        walk = Walk(question, visitor=question.visitor)
        found: list[Finding] = []
        async for finding in self._findings(walk):
            patient = Patient(walk.event, walk.visitor, walk.row)
            found.append(await self.mending.mend(finding, patient) if fix and finding.fix else finding)
            tell(found[-1])
        cause = likeliest(found, paid=walk.paid)
        return Diagnosis(tuple(found), cause, advice(cause), reply(cause, paid=walk.paid))

    async def _findings(self, walk: Walk) -> AsyncIterator[Finding]:
        # They take longest, and know nothing of the stores: begun at once, told at the end.
        here = self._here
        others = [
            awaited(
                "diagnose kafka",
                self._step("kafka", consumers.consumers(self._groups), Cause.KAFKA_AWAY, _KAFKA_SECONDS),
            ),
            awaited(
                "diagnose mail",
                self._step(
                    "mail server",
                    mail_smtp.mail(here.smtp_url, here.mail_from, here.data / "mail"),
                    Cause.MAIL_AWAY,
                    2 * PATIENCE_SECONDS,
                ),
            ),
            awaited(
                "diagnose providers",
                self._step(
                    "provider",
                    providers_http.providers(self._payments, played=here.played),
                    Cause.PROVIDER_AWAY,
                    here.provider_seconds,
                ),
            ),
        ]
        try:
            async for finding in self._stores(walk):
                yield finding
            for steps in (self._subject(walk), self._sale(walk), self._person(walk), self._installation(walk)):
                async for finding in steps:
                    yield finding
            for other in others:
                for finding in await other:
                    yield finding
        finally:
            await end(*others)

    async def _step(
        self, name: str, steps: AsyncIterator[Finding], away: Cause, patience: float = PATIENCE_SECONDS
    ) -> list[Finding]:
        return await step(name, steps, away=away, patience=patience)

    async def _stores(self, walk: Walk) -> AsyncIterator[Finding]:
        """Both at once: one that hangs takes seconds to show it."""
        postgres, redis = await asyncio.gather(
            self._store("postgresql", dependencies_postgres.postgres(self._database), Cause.POSTGRES_AWAY),
            self._store("redis", dependencies_redis.redis(self._redis), Cause.REDIS_AWAY),
        )
        for finding in (*postgres, *redis):
            yield finding
        walk.redis = not _failed(redis, Cause.REDIS_AWAY)
        walk.postgres = not _failed(postgres, Cause.POSTGRES_AWAY, Cause.POSTGRES_EXHAUSTED)
        if walk.postgres:
            found = await self._step("schema", dependencies_postgres.schema(self._database), Cause.POSTGRES_AWAY)
            walk.postgres = all(finding.level is Level.PASS for finding in found)
            for finding in found:
                yield finding
        for finding in disk(self._here.data):
            yield finding

    async def _store(self, name: str, steps: AsyncIterator[Finding], away: Cause) -> list[Finding]:
        found, trouble = await asyncio.gather(self._step(name, steps, away), self._trouble(name))
        if trouble is None:
            return found
        return [_with(one, trouble) if one.cause is away else one for one in found]

    async def _trouble(self, name: str) -> str | None:
        ask = self._troubles.get(name)
        return await asyncio.to_thread(ask) if ask is not None else None

    # Whom it is about

    async def _subject(self, walk: Walk) -> AsyncIterator[Finding]:
        """Reservation and event; with PostgreSQL away the slug and the visitor are all that is known."""
        if not walk.postgres:
            return
        for finding in await self._step("reservation", self._find(walk), Cause.POSTGRES_AWAY):
            yield finding

    async def _find(self, walk: Walk) -> AsyncIterator[Finding]:
        question = walk.question
        if question.reservation is not None:
            walk.row = await money_postgres.find_reservation(self._database, question.reservation)
            if walk.row is None:
                told = said("reservation.none", id=str(question.reservation))
                yield fail("reservation", Cause.RESERVATION_NOT_FOUND, told)
            else:
                walk.visitor = walk.row["visitor"]
        slug = walk.slug
        if slug is not None:
            try:
                # As PostgreSQL has it now: a console's copy may be a second old.
                walk.event = await self._events.fresh(slug)
            except EventNotFound:
                yield fail("sale", Cause.EVENT_NOT_FOUND, said("sale.none", slug=repr(slug)))
        if walk.event is not None:
            walk.payers = await money_postgres.payers(self._database, walk.event.id)
            if walk.row is None and walk.visitor is not None:
                latest = await money_postgres.latest_reservation(self._database, walk.event.id, walk.visitor)
                walk.row = await money_postgres.find_reservation(self._database, latest) if latest else None

    # The sale

    async def _sale(self, walk: Walk) -> AsyncIterator[Finding]:
        now = self._clock.now()
        event, slug = walk.event, walk.slug
        if event is not None:
            async for finding in sale.sale(event, now, self._payments):
                yield finding
        if walk.redis:
            steps = keys_redis.common_keys(self._redis, self._payments.names)
            common = await self._step("keys", steps, Cause.REDIS_AWAY)
            for finding in common:
                yield finding
            if not _failed(common, Cause.KEY_DAMAGED):  # else nothing that reads them says more than that
                for finding in await self._step("processes", self._look_at_processes(walk), Cause.REDIS_AWAY):
                    yield finding
                on_sale = event is not None and event.sale_state(now) is SaleState.OPEN
                steps = jobs_redis.jobs(self._redis, walk.processes, on_sale=on_sale)
                for finding in await self._step("jobs", steps, Cause.REDIS_AWAY):
                    yield finding
        if not walk.redis or slug is None or (walk.postgres and event is None):
            return
        found = await self._step("keys", keys_redis.sale_keys(self._redis, slug), Cause.REDIS_AWAY)
        for finding in found:
            yield finding
        if _failed(found, Cause.KEY_DAMAGED):
            return  # the scripts fail on them, and say no more than that
        for name, steps in (
            ("board", board_redis.board(self._redis, slug, event, self._database)),
            (
                "queue",
                queue_redis.queue(
                    self._redis,
                    slug,
                    event,
                    now,
                    cap_seconds=self._here.cap_seconds,
                    grace_seconds=self._times.active_grace,
                    payers=walk.payers,
                ),
            ),
        ):
            for finding in await self._step(name, steps, Cause.REDIS_AWAY):
                yield finding
        if event is not None:
            for finding in await self._step(
                "payments", money_postgres.orphans(self._database, event.id), Cause.POSTGRES_AWAY
            ):
                # Of the one that is asked about more is said below.
                if walk.row is None or finding.about != str(walk.row["id"]):
                    yield finding

    async def _look_at_processes(self, walk: Walk) -> AsyncIterator[Finding]:
        walk.processes = await processes_redis.known_processes(self._vitals)
        async for finding in processes_redis.processes(walk.processes, self._clock):
            yield finding
        for finding in clocks_postgres.process_clocks(walk.processes.alive):
            yield finding
        for finding in processes_redis.full(walk.processes, self._here.channels_per_process):
            yield finding
        for finding in processes_redis.crowded(walk.processes):
            yield finding
        for finding in processes_redis.refused_callers(walk.processes, walk.visitor):
            yield finding

    # The person, the seat, the money

    async def _share(self, walk: Walk, event: Event, visitor: str) -> AsyncIterator[Finding]:
        here = self._here
        steps = shares_redis.may_hold(self._redis, self._clock, event, visitor, here.hoarding, here.extensions)
        async for finding in steps:
            yield finding
        walk.code = await shares_redis.code_of(self._redis, event, visitor)
        walk.network = await shares_redis.network_of(self._redis, event, visitor)

    async def _person(self, walk: Walk) -> AsyncIterator[Finding]:
        event, visitor, row = walk.event, walk.visitor, walk.row
        if walk.redis and visitor is not None and walk.slug is not None:
            steps = (
                people_redis.visitor(
                    self._redis,
                    self._waiting_room,
                    self._seats,
                    self._times,
                    self._clock,
                    event,
                    visitor,
                    walk.payers,
                )
                if event is not None
                else people_redis.known_place(self._redis, walk.slug, visitor)
            )
            for finding in await self._step("visitor", steps, Cause.REDIS_AWAY):
                yield finding
        if walk.redis and event is not None and visitor is not None:
            for finding in await self._step("visitor", self._share(walk, event, visitor), Cause.REDIS_AWAY):
                yield finding
        if walk.postgres and event is not None:
            steps = people_postgres.phases(self._database, event, self._clock.now(), visitor, walk.code)
            for finding in await self._step("phases", steps, Cause.POSTGRES_AWAY):
                yield finding
        if walk.postgres and event is not None and visitor is not None:
            steps = people_postgres.allowed(self._database, event, visitor, walk.network)
            for finding in await self._step("visitor", steps, Cause.POSTGRES_AWAY):
                yield finding
        if walk.redis and event is not None:
            for ordinal in self._seats_of(walk):
                bought = row is not None and row["status"] == "CONFIRMED" and ordinal in row["seats"]
                steps = seats_redis.seat(self._redis, self._scripts, self._rows, event, ordinal, visitor, bought=bought)
                for finding in await self._step("seat", steps, Cause.REDIS_AWAY):
                    yield finding
        if row is not None:
            for name, steps in (
                ("reservation", money.reservation(row, self._is_gone(walk))),
                ("e-mail", messages_postgres.email(self._database, row["id"])),
            ):
                for finding in await self._step(name, steps, Cause.POSTGRES_AWAY):
                    yield finding

    @staticmethod
    def _seats_of(walk: Walk) -> Sequence[int]:
        if walk.question.seat is not None:
            return [walk.question.seat]
        row = walk.row
        if walk.question.reservation is None or row is None or row["status"] not in ("PAYING", "CONFIRMED"):
            return ()
        return list(row["seats"])[:_MOST_SEATS]

    def _is_gone(self, walk: Walk) -> Callable[[str], bool]:
        """Without Redis nobody tells which processes live: then none is called gone."""
        return walk.processes.is_gone if walk.redis else lambda name: False

    # What is about nobody in particular

    async def _installation(self, walk: Walk) -> AsyncIterator[Finding]:
        if walk.redis:
            for finding in await self._step("payment circuit", self._circuits(), Cause.REDIS_AWAY):
                yield finding
        if not walk.postgres:
            return
        for name, steps in (
            ("signing key", self._signing_keys(walk)),
            ("draw", draws_postgres.draws(self._database)),
            ("clocks", clocks_postgres.postgres_clock(self._database, self._clock)),
            ("refunds", money_postgres.refunds(self._database)),
            ("payments", money_postgres.misconfigured(self._database)),
            ("provider lists", money_postgres.provider_lists(self._database)),
            ("outbox", messages_postgres.pipeline(self._database, self._is_gone(walk))),
        ):
            for finding in await self._step(name, steps, Cause.POSTGRES_AWAY):
                yield finding

    async def _circuits(self) -> AsyncIterator[Finding]:
        await self._payments.refresh()
        async for finding in money.circuits(self._payments.circuits(), self._payments.when_open):
            yield finding

    async def _signing_keys(self, walk: Walk) -> AsyncIterator[Finding]:
        known = await known_fingerprint(self._database)
        for finding in processes_redis.signing_keys(walk.processes, known):
            yield finding


def _with(finding: Finding, trouble: str) -> Finding:
    """What the engine says of itself is told as it says it."""
    return finding.seen_as(said("store.trouble", seen=finding.said, trouble=trouble))


def _failed(found: Sequence[Finding], *causes: Cause) -> bool:
    return any(finding.level is Level.FAIL and finding.cause in causes for finding in found)
