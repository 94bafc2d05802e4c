"""The relay: moves outbox rows to the bus, for ever.

Any number of relays may run; the outbox gives each row to one of them at a time. A busy relay has as
many batches on their way as the bus can take at once, and two more that are claimed or marked meanwhile; so a slow bus
slows the relay down and rows pile up where they are safe: in PostgreSQL.

A claim counts as a try, and only a relay that comes to an end with a row gives it back or marks it. So the tries of a
row that kills its process (the local bus runs consumers) grow as well: it is handed over alone, and then given up.

Relays look every `outbox_seconds`; `wake` (called by the process that has just written a row) saves that
wait. There is no NOTIFY in the checkout's statement: PostgreSQL takes one lock for the whole cluster at
the commit of every transaction that notifies, which would line up all checkouts behind each other.

The first row leaves at once; what is written in the tenth of a second after that leaves together: one look, one mark
and one transaction of a consumer for all of it. A process that has no time for its buyers is given longer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import structlog

from core.errors import StoreUnavailable
from core.messaging import measures
from core.messaging.bus import Bus, BusUnavailable, Deferral
from core.messaging.outbox_postgres import Outbox, OutboxClaim
from core.messaging.retry import RetryPlan
from core.process.backoff import Backoff
from core.process.leases import kept
from core.process.tasks import awaited, cancelled, end

log = structlog.get_logger(__name__)

#: A row that no bus can take (it cannot be encoded, or not be read) is a dead letter of this name.
RELAY = "relay"

# Rows with more tries than this are handed over alone: processes also end with a batch in hand for reasons of theirs.
_SUSPECT = 2

# Handing a batch over ends within this many leases (five minutes by default), or the bus counts as away: five hundred
# e-mails by a slow server take two of them.
LONGEST_PUBLISH_LEASES = 20

# Between the beginnings of two batches that are not full: what purchases a second write goes in a few of them.
_GATHER_SECONDS = 0.1
# So much longer for each second that this process's tasks are late, up to the longest: buyers come before e-mails.
_GIVE_WAY = 20.0
_GATHER_SECONDS_LONGEST = 1.0

# While the bus or PostgreSQL is away the relay asks again after pauses that grow up to this.
_PAUSES = Backoff(first=0.5, longest=10.0)


@dataclass(frozen=True, slots=True)
class RelayPace:
    """`batch` rows a claim; `idle_seconds` between two looks at an empty outbox; `lease_seconds` of a
    claim, renewed while a batch is in hand, so it is how long rows wait after a relay died.
    """

    batch: int
    idle_seconds: float
    lease_seconds: float


class Relay:
    """`run` until `stop`."""

    def __init__(self, *, outbox: Outbox, bus: Bus, retries: RetryPlan, pace: RelayPace) -> None:
        self._outbox = outbox
        self._bus = bus
        self._retries = retries
        self._batch = pace.batch
        self._idle_seconds = pace.idle_seconds
        self._lease_seconds = pace.lease_seconds
        self._limit_seconds = LONGEST_PUBLISH_LEASES * pace.lease_seconds
        self._gate = asyncio.Semaphore(bus.at_once)
        self._away = False
        # So many rows are still to be handed over alone.
        self._careful = 0
        #: Another process moves the rows meanwhile.
        self.rests = False
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()

    def wake(self) -> None:
        """A hint that there is a new row; costs nothing when there is none."""
        self._wake.set()

    def stop(self) -> None:
        """`run` returns after the batch in hand."""
        self._stop.set()
        self._wake.set()

    async def run(self) -> None:
        """Until `stop`. Stores that go away are waited for."""
        lost = 0
        clock = asyncio.get_running_loop().time
        moving: set[asyncio.Task[None]] = set()
        try:
            while not self._stop.is_set() and not cancelled():
                if self.rests:
                    await self._pause(self._idle_seconds, hints=False)
                    continue
                self._wake.clear()
                began = clock()
                try:
                    claim = await self._claim()
                    full = len(claim.rows) == self._batch
                    if any(row.attempts > _SUSPECT for row in claim.rows):
                        await self._wait_for(moving, leave=0)
                        claim = await self._set_apart(claim)
                    if claim.rows:
                        moving.add(awaited("relay batch", self._move(claim)))
                    # A claim that is not full has taken all there was: what these batches set free comes after them.
                    waited = await self._wait_for(moving, leave=self._bus.at_once + 1 if full else 0)
                except Exception as error:
                    self._away = True
                    await asyncio.gather(*moving, return_exceptions=True)
                    moving.clear()
                    lost += 1
                    self._report(error, lost)
                    await self._pause(_PAUSES.seconds(lost), hints=False)
                    self._away = False
                    continue
                if lost:
                    log.info("relay resumed", bus=self._bus.name)
                    lost = 0
                # Not only after a full batch: a reservation's next row can be claimed now that its last one is sent.
                if not full and not self._careful:
                    if not waited:
                        await self._pause(self._idle_seconds, hints=True)
                    await self._gather(began + _GATHER_SECONDS - clock())
        except asyncio.CancelledError:
            # Cut off: what is in hand is claimed again when its lease is over.
            await end(*moving)
            raise
        await asyncio.gather(*moving, return_exceptions=True)

    @staticmethod
    async def _wait_for(moving: set[asyncio.Task[None]], *, leave: int) -> bool:
        """Until at most `leave` batches are under way; False when there were none. Raises what a batch met."""
        waited = bool(moving)
        while len(moving) > leave:
            done, _ = await asyncio.wait(moving, return_when=asyncio.FIRST_COMPLETED)
            moving -= done
            for error in [task.exception() for task in done]:
                if error is not None:
                    raise error
        return waited

    async def step(self) -> int:
        """One batch; returns how many rows were claimed. Raises BusUnavailable, StoreUnavailable."""
        self._away = False
        claim = await self._claim()
        claimed = len(claim.rows)
        if any(row.attempts > _SUSPECT for row in claim.rows):
            claim = await self._set_apart(claim)
        await self._move(claim)
        return claimed

    async def _claim(self) -> OutboxClaim:
        limit = 1 if self._careful else self._batch
        self._careful = max(0, self._careful - 1)
        return await self._outbox.claim(limit, self._lease_seconds)

    async def _set_apart(self, claim: OutboxClaim) -> OutboxClaim:
        """The first suspect alone, or nothing when it is given up now; all others are given back."""
        suspects = [row for row in claim.rows if row.attempts > _SUSPECT]
        first = suspects[0]
        self._careful += len(suspects) - 1
        back = [(row.id, 0.0, "given back", False) for row in claim.rows if row is not first]
        await self._outbox.defer(claim, back)
        if first.attempts <= max(self._retries.tries, _SUSPECT + 1):
            return OutboxClaim(claim.lease, (first,))
        error = f"{first.attempts - 1} processes did not come to an end with it"
        log.error("relay gave up", row=first.id, event_uid=str(first.event_uid), error=error)
        await self._outbox.bury(claim, first, consumer=RELAY, error=error)
        return OutboxClaim(claim.lease, ())

    def _report(self, error: Exception, lost: int) -> None:
        if not isinstance(error, (BusUnavailable, StoreUnavailable)):
            # A mistake in here must not end the relay of a process that goes on selling.
            log.exception("relay failed", bus=self._bus.name, exc_info=error)
        elif lost == 1:
            log.warning("relay waiting", bus=self._bus.name, error=str(error))

    async def _move(self, claim: OutboxClaim) -> None:
        if not claim.rows:
            return
        try:
            async with self._kept(claim), self._gate:
                deferred = await self._publish(claim)
        except (BusUnavailable, StoreUnavailable) as error:
            # Also where the local bus' consumers find PostgreSQL too slow: this process is alive, no row is to blame.
            await self._outbox.defer(claim, [(row.id, 0.0, str(error), False) for row in claim.rows])
            raise
        sent = [row.id for row in claim.rows if row.id not in deferred]
        kept = await self._outbox.mark_sent(claim, sent)
        if kept < len(sent):
            log.warning("relay lease lost", rows=len(sent) - kept)
        measures.RELAYED.labels(self._bus.name).inc(kept)
        back = []
        for row in claim.rows:
            deferral = deferred.get(row.id)
            if deferral is None:
                continue
            if deferral.counted and self._retries.exhausted(row.attempts):
                log.error("relay gave up", row=row.id, event_uid=str(row.event_uid), error=deferral.error)
                await self._outbox.bury(claim, row, consumer=RELAY, error=deferral.error)
            else:
                back.append((row.id, deferral.seconds, deferral.error, deferral.counted))
        measures.DEFERRED.labels(self._bus.name).inc(len(back))
        await self._outbox.defer(claim, back)

    async def _publish(self, claim: OutboxClaim) -> Mapping[int, Deferral]:
        if self._away:
            raise BusUnavailable("it failed a moment ago")
        try:
            async with asyncio.timeout(self._limit_seconds):
                return await self._bus.publish(claim.rows)
        except TimeoutError as error:
            self._away = True
            raise BusUnavailable(f"no end within {self._limit_seconds:g} s") from error
        except BusUnavailable:
            self._away = True
            raise

    def _kept(self, claim: OutboxClaim) -> AbstractAsyncContextManager[None]:
        """A lease that cannot be renewed lapses; then the rows are sent twice, which consumers make once."""
        return kept(
            "relay",
            lambda: self._outbox.renew(claim, self._lease_seconds),
            lease_seconds=self._lease_seconds,
            limit_seconds=self._limit_seconds,
        )

    async def _gather(self, seconds: float) -> None:
        """Until `stop`, or for `seconds`, and longer when this process has no time."""
        if seconds <= 0:
            return
        until = asyncio.get_running_loop().time() + seconds
        await self._pause(seconds, hints=False)
        late = asyncio.get_running_loop().time() - until
        await self._pause(min(late * _GIVE_WAY, _GATHER_SECONDS_LONGEST), hints=False)

    async def _pause(self, seconds: float, *, hints: bool) -> None:
        """Until `stop`, until a hint when those count, or for `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await (self._wake if hints else self._stop).wait()
