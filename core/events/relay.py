"""The relay: moves outbox rows to the bus, for ever.

Any number of relays may run; the outbox gives each row to one of them at a time. A relay has one batch on its way and
at most one more in its hands, so a slow bus slows the relay down and rows pile up where they are safe: in PostgreSQL.

Relays look every `outbox_seconds`; `wake` (called by the process that has just written a row) saves that
wait. There is no NOTIFY in the checkout's statement: PostgreSQL takes one lock for the whole cluster at
the commit of every transaction that notifies, which would line up all checkouts behind each other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from core.errors import StoreUnavailable
from core.events import measures
from core.events.bus import Bus, BusUnavailable
from core.events.outbox_postgres import Claim, Outbox
from core.events.retry import RetryPlan

log = structlog.get_logger(__name__)

#: A row that no bus can take (it cannot be encoded, or not be read) is a dead letter of this name.
RELAY = "relay"

# While the bus or PostgreSQL is away the relay asks again after pauses that grow up to this.
_LONGEST_PAUSE_SECONDS = 10.0


class Relay:
    """`batch` rows a claim; `idle_seconds` between two looks at an empty outbox; `lease_seconds` of a
    claim, renewed while a batch is under way, so it is how long rows wait after a relay died.
    """

    def __init__(
        self, *, outbox: Outbox, bus: Bus, retries: RetryPlan, batch: int, idle_seconds: float, lease_seconds: float
    ) -> None:
        self._outbox = outbox
        self._bus = bus
        self._retries = retries
        self._batch = batch
        self._idle_seconds = idle_seconds
        self._lease_seconds = lease_seconds
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
        lost, claimed_at = 0, 0.0
        ahead: asyncio.Task[Claim] | None = None
        now = asyncio.get_running_loop().time
        try:
            while not self._stop.is_set():
                self._wake.clear()
                try:
                    if now() - claimed_at > self._lease_seconds / 2:
                        # The batch before took long, and nobody renewed this one's lease meanwhile.
                        await self._give_back(ahead)
                        ahead = None
                    task, ahead = ahead, None
                    claim = await (task or self._claim())
                    if len(claim.rows) == self._batch:
                        # There is more than one batch: the next one is claimed while this one is on its way.
                        ahead, claimed_at = asyncio.create_task(self._claim(), name="relay claim"), now()
                    await self._move(claim)
                except Exception as error:
                    await self._give_back(ahead)
                    ahead = None
                    lost += 1
                    self._report(error, lost)
                    await self._pause(min(_LONGEST_PAUSE_SECONDS, 0.25 * 2 ** min(lost, 10)), hints=False)
                    continue
                if lost:
                    log.info("relay_resumed", bus=self._bus.name)
                    lost = 0
                # Not only after a full batch: a reservation's next row can be claimed now that its last one is sent.
                if not claim.rows:
                    await self._pause(self._idle_seconds, hints=True)
        finally:
            await self._give_back(ahead)

    async def step(self) -> int:
        """One batch; returns how many rows were claimed. Raises BusUnavailable, StoreUnavailable."""
        claim = await self._claim()
        await self._move(claim)
        return len(claim.rows)

    async def _claim(self) -> Claim:
        return await self._outbox.claim(self._batch, self._lease_seconds)

    async def _give_back(self, ahead: asyncio.Task[Claim] | None) -> None:
        """Rows that were claimed ahead and are not sent from here: anybody may have them at once."""
        if ahead is not None:
            # Where this fails, the end of the lease does the same.
            with contextlib.suppress(Exception):
                claim = await ahead
                await self._outbox.defer(claim, [(row.id, 0.0, "given back", False) for row in claim.rows])

    def _report(self, error: Exception, lost: int) -> None:
        if not isinstance(error, (BusUnavailable, StoreUnavailable)):
            # A mistake in here must not end the relay of a process that goes on selling.
            log.exception("relay_failed", bus=self._bus.name, exc_info=error)
        elif lost == 1:
            log.warning("relay_waiting", bus=self._bus.name, error=str(error))

    async def _move(self, claim: Claim) -> None:
        if not claim.rows:
            return
        try:
            async with self._kept(claim):
                deferred = await self._bus.publish(claim.rows)
        except BusUnavailable as error:
            await self._outbox.defer(claim, [(row.id, 0.0, str(error), False) for row in claim.rows])
            raise
        sent = [row.id for row in claim.rows if row.id not in deferred]
        kept = await self._outbox.mark_sent(claim, sent)
        if kept < len(sent):
            log.warning("relay_lease_lost", rows=len(sent) - kept)
        measures.RELAYED.labels(self._bus.name).inc(kept)
        back = []
        for row in claim.rows:
            deferral = deferred.get(row.id)
            if deferral is None:
                continue
            if deferral.counted and self._retries.exhausted(row.attempts):
                log.error("relay_gave_up", row=row.id, event_uid=str(row.event_uid), error=deferral.error)
                await self._outbox.bury(claim, row, consumer=RELAY, error=deferral.error)
            else:
                back.append((row.id, deferral.seconds, deferral.error, deferral.counted))
        measures.DEFERRED.labels(self._bus.name).inc(len(back))
        await self._outbox.defer(claim, back)

    @contextlib.asynccontextmanager
    async def _kept(self, claim: Claim) -> AsyncIterator[None]:
        async def renew() -> None:
            while True:
                await asyncio.sleep(self._lease_seconds / 3)
                # A lease that cannot be renewed lapses; then the rows are sent twice, which consumers make
                # once.
                with contextlib.suppress(StoreUnavailable):
                    await self._outbox.renew(claim, self._lease_seconds)

        task = asyncio.create_task(renew(), name="relay lease")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _pause(self, seconds: float, *, hints: bool) -> None:
        """Until `stop`, until a hint when those count, or for `seconds`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for((self._wake if hints else self._stop).wait(), seconds)
