"""One round of the waiting list: offers that end, offers that begin, and seats that go back on the map (F5, F10).

What ends is one transaction of a round, what is offered and freed others: whatever dies in one has changed nothing of
it. Those may wait for a phase's lock, which who takes an offer has before that offer's row: they hold no such row.
While they have it everybody who buys in that phase waits: a few offers are made at once where a phase counts them, and
each such step looks anew.
What follows can be repeated: seats that are for sale again keep their row until the board shows them, offers are
written about until an e-mail has left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import uuid4

import databases
import structlog

from core.clock import Clock
from core.database import BACKGROUND_SECONDS, raw
from core.errors import EventNotFound
from core.process.source_files import SourceFiles
from core.seats.best_seats import Hall
from core.venue.event import Event, SaleState
from core.venue.phase import Phase
from core.waiting_list.offering import Offered, Returned, Wanted, offers
from core.waiting_room.phases import doors, must_wait

log = structlog.get_logger(__name__)

_SQL = SourceFiles(__file__, "sql")
_LAPSE = _SQL["lapse"]
_KEPT = _SQL["kept"]
_CANDIDATES = _SQL["candidates"]
_OFFER = _SQL["offer"]
_DRAW_RETURN = _SQL["draw_return"]
_FREE = _SQL["free"]

_EVENTS = """
SELECT event_id FROM returned_seats WHERE offer_id IS NULL
UNION SELECT event_id FROM offers WHERE state = 'OPEN' AND until <= now()
UNION SELECT w.event_id FROM wishes w JOIN events e ON e.id = w.event_id
    WHERE w.state = 'WAITING' AND e.cancelled_at IS NOT NULL
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('waiting list ' || $1::bigint, 0))"
# A forecast: who offers and who buys judges again, under the phase's own lock.
_ROOM = """
SELECT p.quota - (
    SELECT count(*) FROM reservations r JOIN reservation_seats l ON l.reservation_id = r.id AND l.live
    WHERE r.event_id = $1 AND r.phase = $2 AND r.status IN ('PAYING', 'CONFIRMED')
) - (
    SELECT coalesce(sum(cardinality(ordinals)), 0) FROM offers
    WHERE event_id = $1 AND (phase = $2 OR phase IS NULL) AND state = 'OPEN' AND until > now()
) FROM phases p WHERE p.event_id = $1 AND p.name = $2 AND p.quota IS NOT NULL
"""
_FREED = "SELECT ordinal FROM returned_seats WHERE event_id = $1 AND freed LIMIT $2"
_SHOWN = "DELETE FROM returned_seats WHERE event_id = $1 AND ordinal = ANY ($2::int[]) AND freed"
_NOBODY_WAITS = """
UPDATE wishes SET state = 'LEFT', ended_at = now() WHERE event_id = $1 AND state = 'WAITING'
"""

#: Seats, and wishes that they could meet, of one event that one round looks at.
_MOST_SEATS: Final = 2_000
_MOST_WISHES: Final = 1_000
#: Offers of one transaction in a phase with a quota: each counts the phase, some 10 ms in a large sale.
_OFFERS_AT_ONCE: Final = 10
#: Offers, and so e-mails, to one address in a day: addresses are not proven.
_OFFERS_A_DAY: Final = 5


class Boards(Protocol):
    """What is needed of `core.seats.board_redis.BoardStore`."""

    async def reopen_free(self, event: Event, ordinals: Sequence[int]) -> None: ...


class Events(Protocol):
    """What is needed of `core.venue.event_store_postgres.EventStore`."""

    async def by_id(self, event_id: int) -> Event: ...


@dataclass(slots=True)
class _Step:
    """`told`: visitors whose place has changed. `more`: offers are left to be made; nothing was freed yet."""

    told: list[str] = field(default_factory=list)
    freed: int = 0
    more: bool = False


class Rounds:
    """Raises StoreUnavailable. Any number of processes may do rounds at once; one at a time does one event's."""

    def __init__(
        self,
        *,
        database: databases.Database,
        boards: Boards,
        events: Events,
        hall: Callable[[Event], Awaitable[Hall]],
        tell: Callable[[Event, Sequence[str]], Awaitable[None]],
        clock: Clock,
        offer_seconds: float,
        return_seconds: float,
    ) -> None:
        """`hall`: which seats are side by side. `tell`: the visitors whose place in an event's list has changed."""
        self._database = database
        self.boards = boards
        self._events = events
        self._hall = hall
        self._tell = tell
        self._clock = clock
        self._offer = offer_seconds
        self._return = return_seconds

    async def run(self) -> None:
        """A round of each event that has something to do.

        An event whose round fails keeps no other one from its own; the failure is raised when all had theirs.
        """
        async with raw(self._database) as connection:
            rows = await connection.fetch(_EVENTS)
        failure: Exception | None = None
        for row in rows:
            try:
                await self.of_event(await self._events.by_id(row["event_id"]))
            except EventNotFound:
                continue
            except Exception as error:
                log.exception("round of the waiting list failed", event_id=row["event_id"])
                failure = error
        if failure is not None:
            raise failure

    async def of_event(self, event: Event) -> None:
        hall = await self._hall(event)
        async with raw(self._database, writes=True) as connection, connection.transaction():
            await connection.execute(_LOCK, event.id)
            if event.cancelled_at is not None:
                await connection.execute(_NOBODY_WAITS, event.id)
            ended = [row["visitor"] for row in await connection.fetch(_LAPSE, event.id)]
        if ended:
            await self._tell(event, ended)
        for _ in range(_MOST_WISHES):
            async with raw(self._database, writes=True) as connection, connection.transaction():
                await connection.execute(_LOCK, event.id)
                done = await self._step(connection, event, hall)
            if done.freed:
                log.info("returned seats are for sale again", slug=event.slug, seats=done.freed)
            if done.told:
                await self._tell(event, done.told)
            if not done.more:
                break
        await self._show(event)

    async def _step(self, connection: Any, event: Event, hall: Hall) -> _Step:
        done = _Step()
        rows = await self._kept(connection, event)
        found, phase = await self._offers(connection, event, hall, rows) if rows else ([], None)
        counted = phase is not None and phase.quota is not None
        made = found[:_OFFERS_AT_ONCE] if counted else found
        for offer in made:
            ordinals = [seat.ordinal for seat in offer.seats]
            name = phase.name if phase is not None else None
            visitor = await connection.fetchval(_OFFER, uuid4(), event.id, offer.wish, ordinals, self._offer, name)
            if visitor is None:
                continue  # others have bought meanwhile what the phase had left
            done.told.append(visitor)
            log.info("returned seats offered", slug=event.slug, wish=str(offer.wish), seats=ordinals)
        if len(made) < len(found) and len(done.told) == len(made):
            done.more = True
            return done
        # Whose wishes were met just now wish for nothing else.
        left = await self._kept(connection, event) if made else rows
        # While the sale stands still nothing is offered, and nobody's time runs out.
        stands = self._stands(event)
        wanted = {row["ordinal"] for row in left if (row["fresh"] or stands) and _wanted(row, hall)}
        await _draw(connection, event, [r for r in left if r["ordinal"] in wanted and not r["undrawn"]], None)
        unwanted = [row for row in left if row["ordinal"] not in wanted]
        soon = 0.0 if event.cancelled_at is not None else self._return
        await _draw(connection, event, [row for row in unwanted if row["undrawn"]], soon)
        free = [row["ordinal"] for row in unwanted if row["due"]]
        if free:
            await connection.execute(_FREE, event.id, free)
            done.freed = len(free)
        return done

    async def _kept(self, connection: Any, event: Event) -> Sequence[Any]:
        found: Sequence[Any] = await connection.fetch(
            _KEPT, event.id, self._offer, _MOST_SEATS, timeout=BACKGROUND_SECONDS
        )
        return found

    async def _offers(
        self, connection: Any, event: Event, hall: Hall, rows: Sequence[Any]
    ) -> tuple[list[Offered], Phase | None]:
        """With the phase that they count in. None while nothing is sold, or nothing without a code."""
        now = self._clock.now()
        part = doors(event, now, joining=False)
        if event.sale_state(now) is not SaleState.OPEN or event.cancelled_at is not None or self._stands(event):
            return [], None
        phase = part.free if part is not None else None
        seats = [seat for row in rows if (seat := _returned(row, hall)) is not None]
        if not seats:
            return [], None
        room = await _room(connection, event, phase)
        by_category = Counter(seat.category for seat in seats)
        most = min(event.max_seats, phase.max_seats or event.max_seats) if phase else event.max_seats
        found = await connection.fetch(
            _CANDIDATES,
            event.id,
            _at_most(sum(not seat.by_name for seat in seats), room),
            list(by_category),
            most,
            _MOST_WISHES,
            [_at_most(count, room) for count in by_category.values()],
            _OFFERS_A_DAY,
            timeout=BACKGROUND_SECONDS,
        )
        wishes = [
            Wanted(row["id"], row["seats"], row["category"], row["address_key"], frozenset(row["passed"]))
            for row in found
        ]
        return offers(seats, wishes, room), phase

    def _stands(self, event: Event) -> bool:
        """The sale is neither over nor sells to those who wait now: paused, between two parts, or for codes only."""
        now = self._clock.now()
        if event.sale_state(now) is not SaleState.OPEN or event.cancelled_at is not None:
            return False
        part = doors(event, now, joining=False)
        return event.paused or must_wait(event, now) or (part is not None and part.free is None)

    async def _show(self, event: Event) -> None:
        """What is for sale again, on the board; also what a process that died left behind."""
        async with raw(self._database) as connection:
            freed = [row["ordinal"] for row in await connection.fetch(_FREED, event.id, _MOST_SEATS)]
        if not freed:
            return
        await self.boards.reopen_free(event, freed)
        async with raw(self._database, writes=True) as connection:
            await connection.execute(_SHOWN, event.id, freed)


async def _draw(connection: Any, event: Event, rows: Sequence[Any], seconds: float | None) -> None:
    if rows:
        await connection.execute(_DRAW_RETURN, event.id, [row["ordinal"] for row in rows], seconds)


def _at_most(count: int, room: int | None) -> int:
    return count if room is None else min(count, room)


async def _room(connection: Any, event: Event, phase: Phase | None) -> int | None:
    """Seats that the phase may still sell, less those on offer; None: any number."""
    if phase is None or phase.quota is None:
        return None
    return int(await connection.fetchval(_ROOM, event.id, phase.name) or 0)


def _returned(row: Any, hall: Hall) -> Returned | None:
    """None: a wheelchair place among other seats of its category. It is nobody's who has not asked for one."""
    ordinal, run = row["ordinal"], hall.run_of[row["ordinal"]]
    by_name = hall.runs[run].accessible
    if by_name and row["category"] not in hall.accessible_categories:
        return None
    return Returned(row["id"], ordinal, row["category"], run, hall.runs[run].seats.index(ordinal), by_name)


def _wanted(row: Any, hall: Hall) -> bool:
    """Whether somebody waits for this seat, or for it and others."""
    if not hall.runs[hall.run_of[row["ordinal"]]].accessible:
        return bool(row["wanted_by_any"] or row["wanted_by_name"])
    return bool(row["wanted_by_name"]) and row["category"] in hall.accessible_categories
