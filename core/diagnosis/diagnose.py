"""The walk through S33, and the mends that are safe to make while a sale runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from core import keys
from core.booking.checkout import Checkout
from core.clock import Clock
from core.diagnosis import (
    consumers,
    dependencies_postgres,
    dependencies_redis,
    draws_postgres,
    messages_postgres,
    money,
    money_postgres,
    people_redis,
    processes_redis,
    sale,
    seats_redis,
)
from core.diagnosis.finding import ADVICE, Cause, Finding, Level, fail, likeliest
from core.errors import EventNotFound, StoreUnavailable
from core.figures.vitals_redis import VitalsBoard
from core.languages import LANGUAGES, translations
from core.payments.payments import Payments
from core.process.store_redis import REDIS_LOST
from core.seats.scripts_redis import SeatScripts
from core.seats.seats import Seats
from core.upkeep.janitor_redis import delete_lock_without_ttl
from core.upkeep.reconcile import Reconcile
from core.upkeep.seat_rows_postgres import SeatRows
from core.venue.event import Event
from core.venue.event_store_postgres import EventStore
from core.waiting_room.queue_redis import WaitingRoom
from core.waiting_room.visit_times import VisitTimes

if TYPE_CHECKING:
    import databases
    from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class Question:
    """Whom or what it is about; whatever is missing is found from the reservation, or left out."""

    visitor: str | None = None
    reservation: UUID | None = None
    event: str | None = None
    seat: int | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Every step's finding, the likeliest cause, what to do, and the reply to the customer by language."""

    findings: tuple[Finding, ...]
    cause: Cause
    action: str
    reply: dict[str, str]


class Diagnose:
    """Never raises for a store that is away: that is a finding."""

    def __init__(
        self,
        *,
        database: databases.Database,
        redis: Redis,
        times: VisitTimes,
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
    ) -> None:
        self._database = database
        self._redis = redis
        self._times = times
        self._clock = clock
        self._events = events
        self._waiting_room = waiting_room
        self._seats = seats
        self._scripts = scripts
        self._rows = rows
        self._reconcile = reconcile
        self._payments = payments
        self._checkout = checkout
        self._groups = groups
        self._vitals = vitals

    async def run(self, question: Question, *, fix: bool = False) -> Diagnosis:
        found = [finding async for finding in self._walk(question)]
        if fix and any(finding.fix for finding in found):
            found = [await self._mend(question, finding) for finding in found]
        cause = likeliest(found)
        reply = {language: translations(language).gettext(f"support.reply.{cause}") for language in LANGUAGES}
        return Diagnosis(tuple(found), cause, ADVICE[cause], reply)

    async def _walk(self, question: Question) -> AsyncIterator[Finding]:
        away = False
        for check in (dependencies_postgres.postgres(self._database), dependencies_redis.redis(self._redis)):
            async for finding in check:
                away = away or finding.level is Level.FAIL
                yield finding
        if away:
            return  # everything further would only say the same again
        try:
            async for finding in self._details(question):
                yield finding
        except (StoreUnavailable, *REDIS_LOST) as error:
            kind = type(error.__cause__ or error).__name__
            yield fail("walk", Cause.REDIS_AWAY, f"a store went away on the way: {kind}")

    async def _details(self, question: Question) -> AsyncIterator[Finding]:
        row = None
        if question.reservation is not None:
            row = await money_postgres.find_reservation(self._database, question.reservation)
            if row is None:
                yield fail(
                    "reservation", Cause.RESERVATION_NOT_FOUND, f"there is no reservation {question.reservation}"
                )
        event, problem = await self._event(row["slug"] if row else question.event)
        if problem is not None:
            yield problem
        visitor = row["visitor"] if row else question.visitor
        if event is not None:
            if row is None and visitor is not None:
                latest = await money_postgres.latest_reservation(self._database, event.id, visitor)
                row = await money_postgres.find_reservation(self._database, latest) if latest else None
            async for finding in self._in_event(event, visitor, question.seat):
                yield finding
        if row is not None:
            async for finding in money.reservation(row):
                yield finding
            async for finding in messages_postgres.email(self._database, row["id"]):
                yield finding
        async for finding in draws_postgres.draws(self._database):
            yield finding
        async for finding in processes_redis.processes(self._vitals, self._clock):
            yield finding
        await self._payments.refresh()
        async for finding in money.circuits(self._payments.circuits(), self._payments.when_open):
            yield finding
        async for finding in dependencies_redis.payments_job(self._redis):
            yield finding
        async for finding in money_postgres.refunds(self._database):
            yield finding
        async for finding in money_postgres.misconfigured(self._database):
            yield finding
        async for finding in money_postgres.provider_lists(self._database):
            yield finding
        async for finding in messages_postgres.pipeline(self._database):
            yield finding
        async for finding in consumers.consumers(self._groups):
            yield finding

    async def _event(self, slug: str | None) -> tuple[Event | None, Finding | None]:
        if slug is None:
            return None, None
        try:
            return await self._events.get(slug), None
        except EventNotFound:
            return None, fail("sale", Cause.EVENT_NOT_FOUND, f"there is no event {slug!r}")

    async def _in_event(self, event: Event, visitor: str | None, ordinal: int | None) -> AsyncIterator[Finding]:
        now = self._clock.now()
        async for finding in sale.sale(event, now):
            yield finding
        async for finding in dependencies_redis.work(self._redis, event, now):
            yield finding
        if visitor is not None:
            async for finding in people_redis.visitor(
                self._redis, self._waiting_room, self._seats, self._times, self._clock, event, visitor
            ):
                yield finding
        if ordinal is not None:
            async for finding in seats_redis.seat(self._redis, self._scripts, self._rows, event, ordinal, visitor):
                yield finding

    async def _mend(self, question: Question, finding: Finding) -> Finding:
        mend = self._mends().get(finding.fix or "")
        refund = finding.reservation if finding.fix == "refund" else None
        if mend is None and refund is None:
            return finding
        event, _ = await self._event(question.event)
        try:
            if refund is not None:
                return await self._refund(finding, refund)
            done = mend is not None and await mend(event, question.seat)
        except (StoreUnavailable, *REDIS_LOST) as error:
            return replace(finding, detail=f"{finding.detail}; not mended: {type(error).__name__}")
        return replace(
            finding, detail=f"{finding.detail}; {'mended' if done else 'nothing was left to mend'}", fixed=done
        )

    async def _refund(self, finding: Finding, reservation: UUID) -> Finding:
        """Tries a refused refund again, now."""
        state = await self._checkout.refund_now(reservation)
        if not state.owed:
            return replace(finding, detail=f"{finding.detail}; tried again: given back", fixed=True)
        still = "another process is at it" if state.busy else f"refused again, code {state.code or 'none'}"
        return replace(finding, detail=f"{finding.detail}; tried again: {still}")

    def _mends(self) -> dict[str, Callable[[Event | None, int | None], Awaitable[bool]]]:
        async def board(event: Event | None, _: int | None) -> bool:
            if event is None:
                return False
            await self._seats.ensure_board(event)
            return True

        async def seat(event: Event | None, ordinal: int | None) -> bool:
            if event is None or ordinal is None:
                return False
            return (await self._reconcile.check_seat(event, ordinal)).mended > 0

        async def lock(event: Event | None, ordinal: int | None) -> bool:
            if event is None or ordinal is None:
                return False
            return await delete_lock_without_ttl(self._redis, keys.seat_lock(event.slug, ordinal))

        async def sweep(event: Event | None, _: int | None) -> bool:
            return event is not None and (await self._waiting_room.sweep(event)).admitted > 0

        async def payments(_: Event | None, __: int | None) -> bool:
            return await self._checkout.finish_due() > 0

        return {"board": board, "seat": seat, "lock": lock, "sweep": sweep, "payments": payments}
