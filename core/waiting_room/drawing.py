"""The draw job: announces draws, freezes the entries at the opening, draws, and gives everybody a number (F1, F2).

Each step is written down in PostgreSQL before the next one, so that a process that dies leaves a draw that another one
goes on with, and the draw happens once whoever makes it:

    announced  the commitment is public; people gather
    frozen     who takes part, and the root, are public; with a beacon: its value is waited for, never done without
    drawn      the order is made; numbers are written into the queue in pages
    told       every entry has its number: the draw is shown, the head comes in
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Protocol

import structlog
from prometheus_client import Gauge, Histogram

from core.clock import Clock
from core.errors import StoreUnavailable
from core.venue.event import DrawState, Event, Opening, SaleStatus
from core.venue.event_store_postgres import EventStore
from core.venue.phase import Phase
from core.waiting_room import draw
from core.waiting_room.draws_postgres import BeaconRound, DrawRow, Draws
from core.waiting_room.entries_redis import Entries

log = structlog.get_logger(__name__)

DRAW_SECONDS = Histogram("onsale_draw_seconds", "From the opening until every entry had its number")
BEACON_WAIT = Gauge(
    "onsale_draw_beacon_wait_seconds",
    "For how long a draw has waited for its beacon; 0 when none waits",
    multiprocess_mode="livemax",
)


class Beacon(Protocol):
    """Reads sources of public values that nobody knows before their time. A draw names its own: it is that one which
    is read, whatever is set since."""

    async def round_after(self, moment: float, source: str) -> BeaconRound:
        """The first one of `source` that is made after `moment` (seconds since 1970). Raises StoreUnavailable."""
        ...

    async def value(self, of: BeaconRound) -> str | None:
        """None while it cannot be read."""
        ...


#: A named beacon's value is made at least so long after the opening: the root is public before it.
BEACON_SECONDS = 10.0
#: So long after the entries were frozen their root is public for certain: it is written, and every process reads it.
PUBLIC_SECONDS = 3.0


class Announcer:
    """Makes draws public before anybody enters; `core.waiting_room.queue_redis.Openings`.

    `source`: the beacon's that is named with them; empty: they have none.
    """

    def __init__(self, *, draws: Draws, events: EventStore, beacon: Beacon, source: str, clock: Clock) -> None:
        self._draws = draws
        self._events = events
        self._beacon = beacon
        self._source = source
        self._clock = clock

    async def announced(self, event: Event, phase: Phase) -> Opening:
        """Raises StoreUnavailable, also when a beacon is wanted and cannot be named."""
        row = await self.announce(event, phase)
        return row.opening

    async def announce(self, event: Event, phase: Phase) -> DrawRow:
        known = next((row for row in await self._draws.to_come(event) if row.phase == phase.name), None)
        # An opening that is moved keeps its beacon where none is set any more: nobody gets rid of it that way.
        source = self._source or (known.beacon.source if known and known.beacon else "")
        named = None
        if source:
            # An opening that is set to a time that is past must not name a value that is known already.
            moment = max(phase.opens_at, self._clock.now()).timestamp()
            try:
                named = await self._beacon.round_after(moment + BEACON_SECONDS, source)
            except StoreUnavailable:
                named = _kept(known, phase, source)
                if named is None:
                    raise
        row = await self._draws.announce(event, phase, named)
        self._events.doubt(event.slug)
        return row

    async def number(self, draw_id: int, receipt: str) -> int:
        return await self._draws.number(draw_id, receipt)


def _kept(known: DrawRow | None, phase: Phase, source: str) -> BeaconRound | None:
    """What a draw whose beacon does not answer is moved with: the round that it has, of the same source.

    Only to a later opening: where that round speaks before the freeze, `_spoken` names another one. An earlier draw
    would wait for it until the time that was set before, also when the source answers again in a moment.
    """
    if known is None or known.beacon is None or known.beacon.source != source or phase.opens_at < known.draw_at:
        return None
    return known.beacon


class Drawing:
    """The body of the `draw` job: one round looks at every event that has a draw to come."""

    def __init__(
        self,
        *,
        events: EventStore,
        draws: Draws,
        entries: Entries,
        announcer: Announcer,
        beacon: Beacon,
        clock: Clock,
    ) -> None:
        self._events = events
        self._draws = draws
        self._entries = entries
        self._announcer = announcer
        self._beacon = beacon
        self._clock = clock

    async def run(self) -> None:
        """Raises StoreUnavailable; the next round goes on where this one was. One sale's trouble stops no other's."""
        failed: Exception | None = None
        for event in await self._events.list():
            phase = event.next_opening(self._clock.now())
            if event.opening is None and phase is None:
                continue
            try:
                unmoved, trouble = await self._prepare(event, phase)
                failed = failed or trouble
                for row in await self._draws.to_come(event):
                    # Redis knows of one draw at a time: the next one's entries must not take the place of this one's.
                    # What could not be moved must not happen at the time that it had.
                    if row.id in unmoved or not await self._go_on(event, row):
                        break
            except Exception as error:
                log.warning("a draw could not go on", slug=event.slug, error=repr(error))
                failed = failed or error
        if failed is not None:
            raise failed

    async def _prepare(self, event: Event, phase: Phase | None) -> tuple[set[int], Exception | None]:
        """The draws that are announced are those of the openings that are to come.

        Returns the ids of those that could not be brought there, and the first error: a beacon that does not answer
        keeps no other draw of the sale from happening.
        """
        unmoved: set[int] = set()
        errors: list[Exception] = []

        @contextlib.contextmanager
        def apart(row: DrawRow | None) -> Iterator[None]:
            try:
                yield
            except StoreUnavailable as error:
                log.warning("a draw could not be prepared", slug=event.slug, error=repr(error))
                errors.append(error)
                if row is not None:
                    unmoved.add(row.id)

        rows = await self._draws.to_come(event)
        if phase is not None and all(row.phase != phase.name for row in rows):
            with apart(None):
                await self._announcer.announce(event, phase)
        if event.status is SaleStatus.OPEN:
            for row in rows:
                with apart(row):
                    await self._open_now(event, row)
        elif event.status is SaleStatus.SCHEDULED:
            openings = {one.name: one for one in event.openings if one.prequeue_seconds > 0}
            for row in (row for row in rows if row.state is DrawState.ANNOUNCED):
                opening = openings.get(row.phase)
                if opening is None:
                    with apart(row):
                        await self._draws.withdraw(row.id, partial(self._entries.withdraw, event, row.id))
                        log.info("draw withdrawn", slug=event.slug, phase=row.phase)
                        self._events.doubt(event.slug)
                elif opening.opens_at != row.draw_at:
                    with apart(row):
                        await self._announcer.announce(event, opening)
        return unmoved, errors[0] if errors else None

    async def _open_now(self, event: Event, row: DrawRow) -> None:
        """The sale was opened by hand: the draw is due, with a beacon's value from after this moment."""
        now = self._clock.now()
        if row.state is not DrawState.ANNOUNCED or row.draw_at <= now:
            return
        named = None
        if row.beacon is not None:
            named = await self._beacon.round_after(now.timestamp() + BEACON_SECONDS, row.beacon.source)
        await self._draws.open_now(row.id, named, now)
        self._events.doubt(event.slug)

    async def _go_on(self, event: Event, row: DrawRow) -> bool:
        """True: it is over."""
        frozen = await self._entries.freeze_if_due(event, row.opening)
        if frozen is None:
            return False
        listed = await self._entries.read(event, frozen)
        if row.state is DrawState.ANNOUNCED:
            row = await self._draws.freeze(
                row.id,
                list(listed.values()),
                base=frozen.base,
                reserved=frozen.reserved,
                now=self._clock.now(),
            )
            log.info("entries frozen", slug=event.slug, phase=row.phase, entries=row.count, root=row.root)
            self._events.doubt(event.slug)
        if row.state is DrawState.FROZEN:
            drawn = await self._draw(event, row)
            if drawn is None:
                return False
            row = drawn
        await self._tell(event, row, listed)
        return True

    async def _draw(self, event: Event, row: DrawRow) -> DrawRow | None:
        """None: its beacon has not spoken yet. A draw waits for it, and never goes on without."""
        value = ""
        if row.beacon is not None:
            # Before anything is asked: a source that does not answer is waited for, too.
            BEACON_WAIT.set(max(0.0, self._clock.now().timestamp() - row.draw_at.timestamp()))
            named = row.beacon
            row, found = await self._spoken(event, row, named)
            if found is None:
                log.warning("the draw waits for its beacon", slug=event.slug, source=named.source)
                return None
            BEACON_WAIT.set(0)
            value = found
        receipts = await self._draws.receipts(row.id)
        # Half a second of one core for 200,000: not in the event loop.
        order = await asyncio.to_thread(draw.drawn_order, row.seed, receipts, value)
        return await self._draws.record(row.id, order, value)

    async def _spoken(self, event: Event, row: DrawRow, named: BeaconRound) -> tuple[DrawRow, str | None]:
        """The beacon's value, of the source that was named with the draw, whatever is set now.

        The root is public before its beacon speaks: a freeze that came late, as all servers were down, names a later
        round. Which one is settled by the moment of the freeze, so that nobody can look again until it pleases.
        """
        if row.frozen_at is not None:
            frozen_at = row.frozen_at.timestamp()
            first = await self._beacon.round_after(frozen_at + PUBLIC_SECONDS, named.source)
            if named.round < first.round:
                later = await self._beacon.round_after(frozen_at + BEACON_SECONDS, named.source)
                log.warning("the draw's beacon spoke before its root was public", slug=event.slug, round=later.round)
                row = await self._draws.name_later(row.id, later)
                self._events.doubt(event.slug)
        return row, await self._beacon.value(row.beacon or named)

    async def _tell(self, event: Event, row: DrawRow, listed: dict[str, str]) -> None:
        order = await self._draws.receipts(row.id)
        visitor_of = {receipt: visitor for visitor, receipt in listed.items()}
        numbers = [
            (visitor_of[receipt], number) for number, receipt in enumerate(order, row.base + 1) if receipt in visitor_of
        ]
        # Who came back after the freeze without having been in it has no number: the page joins again, at the tail.
        await self._entries.assign(event, row.id, numbers)
        await self._entries.finish(event, row.id)
        await self._draws.told(row.id)
        self._events.doubt(event.slug)
        seconds = max(0.0, self._clock.now().timestamp() - row.draw_at.timestamp())
        DRAW_SECONDS.observe(seconds)
        log.info(
            "drawn",
            slug=event.slug,
            phase=row.phase,
            entries=len(order),
            numbers=len(numbers),
            seconds=round(seconds, 1),
        )
        await self._entries.forget(event)
