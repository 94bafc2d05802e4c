"""The waiting room: a queue, the active visitors, and one script for each thing that can happen to them.

What holds whatever runs at once, because each step is one script (rule 4): nobody becomes active but from the head of
the queue, the active are never more than the limit, and asking for one's place changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from core import keys
from core.clock import Clock, from_millis, to_millis
from core.errors import CodeRequired, NoVisitor, OutcomeUnknown, StoreUnavailable
from core.seats.board_redis import BoardStore
from core.venue.event import DrawState, Event, Opening, SaleState
from core.venue.phase import Phase
from core.waiting_room import draw
from core.waiting_room.access_redis import Access
from core.waiting_room.admission_price import AdmissionPrice
from core.waiting_room.outage import NO_OUTAGE, Outage
from core.waiting_room.pace import PastWait, Wait, eta_seconds, past_wait, wait_band
from core.waiting_room.phases import comes_in_now
from core.waiting_room.place import Entry, Out, Place, PlaceState, QueueSnapshot, SweepReport
from core.waiting_room.price import NOBODY, Bidder
from core.waiting_room.scripts_redis import QueueScripts
from core.waiting_room.ticket import KeptPlace, Tickets
from core.waiting_room.turn import Turn
from core.waiting_room.visit_times import VisitTimes

#: Visitors and baskets that one sweep script handles, at most, of all kinds together: bounds how long Redis is kept
#: from everybody else (measured: 10 us to let a visitor in, 45 us to end a session with four seats held).
SWEEP_BATCH = 1_000
#: Past waits that are published.
MOST_WAITS = 200
# What `places.lua` says of who has entered.
_ENTERED = -2
# The pace is an average over this long.
_PACE_MEMORY_MS = 60_000
# A closed sale's keys are kept for a day: browsers still look at the board, payments under way still settle.
_CLOSED_KEPT_MS = 24 * 3600 * 1000
# Visitors who get their time back in one script, at most: with four seats each, 20 ms of Redis.
_GIVE_BATCH = 200
# How long a lost answer is read back for.
_READ_BACK_SECONDS = 1.0
_ANOTHER_IS_DRAWN = "The part before has no order yet: its draw waits. Try again; you gather for the next part after it"


class Openings(Protocol):
    """What the waiting room needs to know of draws (`draws_postgres.py`)."""

    async def announced(self, event: Event, phase: Phase) -> Opening: ...

    async def number(self, draw_id: int, receipt: str) -> int: ...


class LastTurns(Protocol):
    """What the waiting room asks when Redis has lost whose turn has been (`turns_postgres.py`)."""

    async def last(self, event_id: int, visitor: str) -> Turn | None: ...


class WaitingRoom:
    """Raises StoreUnavailable when Redis is away; nothing is half done then.

    Every call may be made again: a lost answer is read back, and where Redis does not say that either it is
    OutcomeUnknown (R5).
    """

    def __init__(
        self,
        *,
        scripts: QueueScripts,
        boards: BoardStore,
        times: VisitTimes,
        tickets: Tickets,
        clock: Clock,
        openings: Openings,
        turns: LastTurns,
        price: AdmissionPrice,
        access: Access,
        forget: Callable[[str, str], None] = lambda slug, visitor: None,
    ) -> None:
        """`forget` hears who leaves: event and visitor."""
        self._access = access
        self._forget = forget
        self._scripts = scripts
        self._openings = openings
        self._turns = turns
        self._boards = boards
        self._price = price
        self._times = times
        self._tickets = tickets
        self._clock = clock

    async def join(
        self,
        event: Event,
        visitor: str,
        ticket: str | None = None,
        nonce: str | None = None,
        bidder: Bidder = NOBODY,
        *,
        code: str | None = None,
    ) -> Place:
        """A place at the tail; the same place for who has one; the ticket's place for who had one.

        Lets the visitor in at once when nobody waits and there is room. While people gather for an opening, and until
        its order is made, an entry for the draw instead; `nonce` is the browser's part of its receipt (32 hexadecimal
        digits). A new place may have a price, by the network of the `bidder`; who is not fresh gets none. `code`: what
        opens a phase; who guesses is slowed. Raises NoVisitor, SaleNotOpen, SaleClosed, ProofRequired, CodeRequired,
        CodeNotValid, CodeUsed, TooManyRequests.
        """
        kept = self._tickets.read(ticket, event.slug, visitor)
        group = None
        if event.phases and event.sale_state(self._clock.now()) is not SaleState.CLOSED:
            try:
                group = await self._access.claim(event, visitor, code, bidder.address)
            except CodeRequired:
                # Who has a place keeps it, by a part that is over or a code that was spent: the hold asks again.
                there = await self.heard(event, visitor)
                if isinstance(there, Place):
                    return there
                raise
        known = kept or KeptPlace()
        try:
            opening = await self._opening(event, group, known)
        except StoreUnavailable:
            # Who has a place, or an entry in the draw under way, is told so, whatever is to come.
            there = await self.heard(event, visitor)
            if isinstance(there, Place):
                return there
            raise
        if opening is None:
            event.require_open(self._clock.now())
            name = "join"
            arguments: list[str | int] = [visitor, await self._number(known)]
        else:
            name, arguments = "enter", [visitor, *await self._entry(opening, known, nonce)]
        # The last question: whoever gets no place anyway is told why, and Redis is not asked.
        if kept is None and not bidder.fresh and await self.place(event, visitor) is None:
            raise NoVisitor("Renewed more than a day ago: load the page again, or renew the token")

        async def ask(price: list[str | int]) -> Any:
            turn: str | int = "?"
            answer = await self._scripts(name, event, [*arguments, *price, turn])
            if answer[0] == b"no_board":
                await self._boards.ensure(event)
                answer = await self._scripts(name, event, [*arguments, *price, turn])
            if answer[0] == b"turn":
                turn = await self._turn(event, visitor, known, int(arguments[1]))
                answer = await self._scripts(name, event, [*arguments, *price, turn])
            if answer[0] == b"stale":
                # The event as it is cached here has an opening that is over; the next look has the next one.
                raise StoreUnavailable(retry_after=1)
            return answer

        try:
            answer = await self._price.paid_for(event.slug, visitor, bidder, ask)
        except OutcomeUnknown as unknown:
            place = await self._read_back(event, visitor, unknown)
            if place is None:
                raise
            return place
        place = self._place(event, answer)
        assert place is not None, answer  # noqa: S101 - the script answers `none` for strangers only
        return place

    async def _turn(self, event: Event, visitor: str, known: KeptPlace, number: int) -> str | int:
        """What became of a number that was given by a Redis that has been lost, for the scripts (R4)."""
        turn = await self._turns.last(event.id, visitor)
        if turn is None or turn.number < number:
            return known.until_ms or "none"
        return "over" if turn.until is None else max(to_millis(turn.until), known.until_ms)

    async def _opening(self, event: Event, group: str | None, known: KeptPlace) -> Opening | None:
        """The opening that a join is for; None when the sale is simply open, or not yet near its opening.

        `group`: that the visitor's code is of. Raises StoreUnavailable: people gather for one opening while the
        order of another one is being made, and there is one draw at a time. An entry of that one comes back to it.
        """
        now = self._clock.now()
        phase, opening = event.gathering(now), event.opening
        if phase is not None and comes_in_now(event, now, group):
            phase = None
        if phase is not None and (opening is None or opening.phase != phase.name):
            if opening is not None and opening.draw_at <= now:
                if known.receipt and known.opening == opening.id:
                    return opening
                raise StoreUnavailable(_ANOTHER_IS_DRAWN, retry_after=2)
            # The commitment is public before anybody enters.
            return await self._openings.announced(event, phase)
        if opening is None or (phase is None and now < opening.draw_at and not event.draws_next(opening, now)):
            return None
        return opening

    async def _number(self, known: KeptPlace) -> int:
        """The queue number that a ticket stands for; an entry's is the one that its draw gave it."""
        if known.receipt:
            return await self._openings.number(known.opening, known.receipt)
        return known.number

    async def _entry(self, opening: Opening, known: KeptPlace, nonce: str | None) -> list[str | int]:
        own = known.receipt != "" and known.opening == opening.id
        salt = known.salt if own else draw.new_nonce()
        receipt = known.receipt if own else draw.receipt(nonce or draw.new_nonce(), salt)
        drawn = opening.state is DrawState.DRAWN
        return [
            0 if own and not drawn else await self._number(known),
            opening.id,
            to_millis(opening.draw_at),
            opening.state.value,
            opening.base,
            opening.reserved,
            f"{receipt}|{salt}",
            int(own and not drawn),
            opening.patience_ms(self._clock.now()),
        ]

    async def place(self, event: Event, visitor: str) -> Place | None:
        """None for who is neither waiting nor active nor gathered. Changes nothing."""
        found = await self.place_or_out(event, visitor)
        return found if isinstance(found, Place) else None

    async def place_or_out(self, event: Event, visitor: str) -> Place | Out:
        """The same, with why for who is in nothing."""
        answer = await self._scripts("place", event, [visitor])
        return self._place(event, answer) or Out(bytes(answer[1]).decode())

    async def places(self, event: Event, visitors: Sequence[str]) -> QueueSnapshot:
        """Of those who wait, and of those who have entered and have no number yet, in one call."""
        version, *figures = await self._scripts("places", event, visitors)
        found = list(zip(visitors, figures[::2], map(int, figures[1::2]), strict=True))
        return QueueSnapshot(
            int(version),
            {visitor: (int(float(number)), ahead) for visitor, number, ahead in found if ahead >= 0},
            {visitor for visitor, _, ahead in found if ahead == _ENTERED},
        )

    async def past_waits(self, event: Event) -> list[PastWait]:
        """Promised and actual waits of those who came in last, newest first (F9)."""
        return [past_wait(bytes(text).decode()) for text in await self._scripts("waits", event, [MOST_WAITS])]

    async def _read_back(self, event: Event, visitor: str, unknown: OutcomeUnknown) -> Place | None:
        """Raises `unknown` when Redis does not answer this either."""
        try:
            async with asyncio.timeout(_READ_BACK_SECONDS):
                return await self.place(event, visitor)
        except (StoreUnavailable, TimeoutError) as error:
            raise unknown from error

    async def beat(self, event: Event, visitors: Sequence[str]) -> dict[str, str]:
        """Notes a sign of life of each, a thousand at most; returns who is neither waiting nor active, and why."""
        if not visitors:
            return {}
        told = [bytes(text).decode() for text in await self._scripts("beat", event, ["missing", *visitors])]
        return dict(zip(told[::2], told[1::2], strict=True))

    async def heard(self, event: Event, visitor: str) -> Place | Out:
        """Notes a sign of life, and says where the visitor stands, in one step."""
        answer = await self._scripts("beat", event, ["place", visitor])
        return self._place(event, answer) or Out(bytes(answer[1]).decode())

    async def leave(self, event: Event, visitor: str, reason: str = "left") -> bool:
        """Gives up the place or the session; holds are freed. False for who had neither."""
        self._forget(event.slug, visitor)
        try:
            codes = (keys.code_claims(event.slug), keys.visitor_codes(event.slug))
            return bool(await self._scripts("leave", event, [visitor, reason], codes))
        except OutcomeUnknown as unknown:
            if await self._read_back(event, visitor, unknown) is not None:
                raise
            return True
        finally:
            self._forget(event.slug, visitor)

    async def tell_sale_changed(self, event: Event) -> None:
        """Every server process reads the event anew and tells its browsers, instead of at its next look."""
        await self._scripts("sale", event, [])

    async def sweep(
        self, event: Event, *, batches: int = 1_000, outage: Outage = NO_OUTAGE, noted: str = "", paying: bool = False
    ) -> SweepReport:
        """Ends what is over and lets the head of the queue in; `batches` scripts of `SWEEP_BATCH` visitors at most.

        In an `outage` nothing ends; after it sessions and baskets get the time back first (R4). `noted`: the stops of
        an earlier report that PostgreSQL has by now. `paying`: somebody pays, by PostgreSQL's account; the clock of
        a closed sale is watched for them.
        """
        report = await self._sweep_batch(event, outage, noted, paying)
        for _ in range(batches - 1):
            if not report.more:
                break
            report += await self._sweep_batch(event, outage, "", paying)
        return report

    async def _sweep_batch(self, event: Event, outage: Outage, noted: str, paying: bool) -> SweepReport:
        arguments: list[str | int] = [
            int(self._times.active_grace * 1000),
            int(self._times.waiting_grace * 1000),
            SWEEP_BATCH,
            _PACE_MEMORY_MS,
            int(event.sale_state(self._clock.now()) is SaleState.CLOSED),
            _CLOSED_KEPT_MS,
            int(self._times.absent * 1000),
            -1 if outage.seconds is None else int(outage.seconds * 1000),
            int(self._times.gap * 1000),
            int(self._times.stop * 1000),
            _GIVE_BATCH,
            noted,
            int(paying),
        ]
        answer = await self._scripts("sweep", event, arguments)
        if answer[0] == b"no_board":
            await self._boards.ensure(event)
            answer = await self._scripts("sweep", event, arguments)
        *figures, stops = answer
        *done, waiting, active, stopped = (int(figure) for figure in figures)
        # Nothing done means that only those are left who must stay for now: another turn would change nothing.
        ended, silent, ghosts, lapsed, closed, admitted, given = done
        more = stopped > 0 and any(done)
        return SweepReport(
            ended, silent, ghosts, lapsed, closed, admitted, waiting, active, more, given, stops.decode()
        )

    def limit(self, event: Event) -> int:
        """How many may be active now."""
        return self._scripts.limit(event)

    def ticket(self, event: Event, visitor: str, number: int, until: datetime | None = None) -> str:
        """`until`: of who is in. After a loss of Redis it brings the rest of that session back, and nothing later."""
        return self._tickets.issue(event.slug, visitor, number, until)

    def entry_ticket(self, event: Event, visitor: str, entry: Entry) -> str:
        return self._tickets.issue_entry(event.slug, visitor, entry.opening, entry.receipt, entry.salt)

    def ticket_of(self, event: Event, visitor: str, place: Place) -> str:
        """The ticket that brings this place, or this entry, back."""
        if place.entry is not None:
            return self.entry_ticket(event, visitor, place.entry)
        return self.ticket(event, visitor, place.number, place.until)

    def _place(self, event: Event, answer: Sequence[Any]) -> Place | None:
        if answer[0] == b"none":
            return None
        state = PlaceState(bytes(answer[0]).decode())
        if state is PlaceState.ENTERED:
            return _entered(answer)
        number, ahead, waiting, active, version = (int(float(figure)) for figure in answer[1:6])
        pace = float(answer[7]) if answer[7] else None
        is_active = state is PlaceState.ACTIVE
        spread = (float(answer[8]), float(answer[9])) if answer[8] and answer[9] else None
        expected = eta_seconds(ahead, pace, event.active_limit, self._times.session, room=int(answer[10]))
        return Place(
            state=state,
            number=number,
            ahead=ahead,
            waiting=waiting,
            active=active,
            version=version,
            until=from_millis(float(answer[6])) if is_active else None,
            eta_seconds=0 if is_active else expected,
            wait=Wait(0, 0) if is_active else wait_band(expected, spread),
        )


def _entered(answer: Sequence[Any]) -> Place:
    receipt, _, salt = bytes(answer[1]).decode().partition("|")
    entry = Entry(
        opening=int(answer[2]),
        receipt=receipt,
        salt=salt,
        entered=int(answer[4]),
        draw_at=from_millis(float(answer[3])),
        drawing=answer[6] == b"frozen",
    )
    return Place(PlaceState.ENTERED, 0, 0, 0, 0, int(answer[5]), None, None, entry=entry)
