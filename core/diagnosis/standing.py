"""How the installation stands: the part of the walk that is about nobody in particular, looked at over and over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace

import databases
from redis.asyncio import Redis

from core.clock import Clock
from core.diagnosis import dependencies, messages, money
from core.diagnosis.finding import Cause, Finding, Level, fail
from core.errors import PaymentUnavailable, StoreUnavailable
from core.payments.breaker import Mode
from core.payments.payments import Payments
from core.store_redis import REDIS_LOST
from core.upkeep.probes import Probes
from core.venue.event import Event, SaleState
from core.venue.event_store_postgres import EventStore

#: A store that has not answered after this long is away, in seconds.
PATIENCE_SECONDS = 3.0
#: Sales looked at in one round, at most: the general checks find what is wrong with all of them.
_MOST_SALES = 50

_OF_POSTGRES = frozenset({Cause.POSTGRES_FULL, Cause.RELAY_STUCK, Cause.CONSUMER_LAG, Cause.DEAD_LETTERS})
_OF_REDIS = frozenset({
    Cause.REDIS_READ_ONLY, Cause.REDIS_FULL, Cause.REDIS_MEMORY, Cause.REDIS_EVICTS, Cause.BOARD_LOST,
    Cause.SWEEP_STOPPED, Cause.ADMISSION_STALLED,
})  # fmt: skip
#: All that a look can find; other findings of the same steps (a full queue, a paused sale) are no fault.
WATCHED = _OF_POSTGRES | _OF_REDIS | {Cause.POSTGRES_AWAY, Cause.REDIS_AWAY, Cause.CIRCUIT_OPEN}
#: Found in one event's steps, but true of all of them.
_GENERAL = frozenset({Cause.SWEEP_STOPPED})


@dataclass(frozen=True, slots=True)
class Standing:
    """What is wrong, with the event's slug or `-`; and what could not be looked at."""

    wrong: Sequence[tuple[str, Finding]]
    unknown: frozenset[Cause]


class Look:
    """Never raises for a store that is away, and takes `PATIENCE_SECONDS` a store at most: one that hangs is away."""

    def __init__(
        self, *, database: databases.Database, redis: Redis, events: EventStore, payments: Payments, clock: Clock,
        consumer_lag: messages.ConsumerLag | None = None,
    ) -> None:  # fmt: skip
        self._database = database
        self._redis = redis
        self._events = events
        self._payments = payments
        self._clock = clock
        self._consumer_lag = consumer_lag
        self._probes = Probes()

    async def run(self) -> Standing:
        found: list[tuple[str, Finding]] = []
        unknown: set[Cause] = set()
        if not await self._all(found, "-", "postgresql", Cause.POSTGRES_AWAY, self._of_postgres):
            unknown |= _OF_POSTGRES
        if not await self._all(found, "-", "redis", Cause.REDIS_AWAY, lambda: dependencies.redis(self._redis)):
            unknown |= _OF_REDIS
        else:
            for event in await self._open():
                if not await self._all(found, event.slug, "redis", Cause.REDIS_AWAY, self._of_sale(event)):
                    unknown |= _OF_REDIS
                    break
        found += [("-", finding) async for finding in self._circuits()]
        wrong = [
            ("-" if finding.cause in _GENERAL else subject, finding)
            for subject, finding in found
            if finding.level is not Level.PASS and finding.cause in WATCHED
        ]
        return Standing(wrong, frozenset(unknown))

    async def _circuits(self) -> AsyncIterator[Finding]:
        """Graver when no charge would leave, whatever other providers there are."""
        views = self._payments.circuits()
        async for finding in money.circuits(views):
            if finding.level is Level.PASS:
                continue
            detail = finding.detail.partition(";")[0]
            if any(view.provider == detail.partition(":")[0] and view.mode is Mode.FORCED_OPEN for view in views):
                detail += " by an operator, until it is set back to automatic"
            try:
                self._payments.require_available()
            except PaymentUnavailable:
                yield fail(finding.step, Cause.CIRCUIT_OPEN, f"{detail}; nobody can pay")
            else:
                yield replace(finding, detail=detail)

    def _of_postgres(self) -> AsyncIterator[Finding]:
        async def steps() -> AsyncIterator[Finding]:
            async for finding in dependencies.postgres(self._database):
                yield finding
                if finding.cause is Cause.POSTGRES_AWAY:
                    return
            async for finding in messages.pipeline(self._database, self._consumer_lag):
                yield finding

        return steps()

    def _of_sale(self, event: Event) -> Callable[[], AsyncIterator[Finding]]:
        return lambda: dependencies.work(self._redis, event, self._clock.now())

    async def _open(self) -> Sequence[Event]:
        """The open sales; with PostgreSQL away none: what is known of it is told already."""
        try:
            events = await self._probes.ask("events", self._list, PATIENCE_SECONDS)
        except (StoreUnavailable, TimeoutError):
            return []
        now = self._clock.now()
        return [event for event in events if event.sale_state(now) is SaleState.OPEN][:_MOST_SALES]

    async def _list(self) -> Sequence[Event]:
        return await self._events.list()

    async def _all(
        self, found: list[tuple[str, Finding]], subject: str, store: str, away: Cause,
        steps: Callable[[], AsyncIterator[Finding]],
    ) -> bool:  # fmt: skip
        """Adds what the steps find; False when the store is away."""

        async def walk() -> list[Finding]:
            return [finding async for finding in steps()]

        try:
            findings = await self._probes.ask(f"{store} {subject}", walk, PATIENCE_SECONDS)
        except TimeoutError:
            findings = [fail(store, away, f"does not answer within {PATIENCE_SECONDS:g} s")]
        except StoreUnavailable as error:
            findings = [fail(store, away, f"went away: {type(error.__cause__ or error).__name__}")]
        except REDIS_LOST as error:
            findings = [fail(store, away, f"went away: {type(error).__name__}")]
        # A store that is away is so whatever was asked about.
        found.extend(("-" if finding.cause is away else subject, finding) for finding in findings)
        return not any(finding.cause is away for finding in findings)

