"""The waiting room: a queue, the active visitors, and one script for each thing that can happen to them.

What holds whatever runs at once, because each step is one script (rule 4): nobody becomes active but from the head of
the queue, the active are never more than the limit, and asking for one's place changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core import keys
from core.clock import Clock, from_millis
from core.process.lua_redis import Script, ScriptRunner
from core.seats.board_redis import BoardStore
from core.settings import Settings
from core.venue.event import Event, SaleState
from core.waiting_room.pace import eta_seconds
from core.waiting_room.place import Place, PlaceState, SweepReport
from core.waiting_room.ticket import Tickets

_LUA = Path(__file__).parent / "lua"
_SCRIPTS = {path.stem: Script(path) for path in _LUA.glob("*.lua") if path.stem != "queue"}

#: Queue numbers of one epoch of the board: after a loss of Redis the numbers go on above the old ones.
NUMBERS_OF_AN_EPOCH = 10_000_000

#: Visitors and baskets that one sweep script handles, at most, of all kinds together: bounds how long Redis is kept
#: from everybody else (measured: 10 us to let a visitor in, 45 us to end a session with four seats held).
SWEEP_BATCH = 1_000
# The pace is an average over this long.
_PACE_MEMORY_MS = 60_000
# A closed sale's keys are kept for a day: browsers still look at the board, payments under way still settle.
_CLOSED_KEPT_MS = 24 * 3600 * 1000


class WaitingRoom:
    """Raises StoreUnavailable when Redis is away; nothing is half done then."""

    def __init__(self, *, run: ScriptRunner, boards: BoardStore, settings: Settings, secret: str, clock: Clock) -> None:
        self._run = run
        self._boards = boards
        self._settings = settings
        self._tickets = Tickets(secret, settings.ticket_hours)
        self._clock = clock

    async def join(self, event: Event, visitor: str, ticket: str | None = None) -> Place:
        """A place at the tail; the same place for who has one; the ticket's place for who had one.

        Lets the visitor in at once when nobody waits and there is room. Raises SaleNotOpen, SaleClosed.
        """
        event.require_open(self._clock.now())
        claimed = self._tickets.read(ticket, event.slug, visitor) or 0
        answer = await self._call("join", event, [visitor, claimed, NUMBERS_OF_AN_EPOCH])
        if answer[0] == b"no_board":
            await self._boards.ensure(event)
            answer = await self._call("join", event, [visitor, claimed, NUMBERS_OF_AN_EPOCH])
        place = self._place(event, answer)
        assert place is not None, answer  # noqa: S101 - the script answers `none` for strangers only
        return place

    async def place(self, event: Event, visitor: str) -> Place | None:
        """None for who is neither waiting nor active. Changes nothing."""
        return self._place(event, await self._call("place", event, [visitor]))

    async def places(self, event: Event, visitors: Sequence[str]) -> tuple[int, dict[str, tuple[int, int]]]:
        """(queue version, visitor -> (number, visitors ahead)) of those who wait, in one call."""
        version, *figures = await self._call("places", event, visitors)
        standing = zip(visitors, figures[::2], figures[1::2], strict=True)
        return int(version), {v: (int(float(number)), int(ahead)) for v, number, ahead in standing if int(ahead) >= 0}

    async def beat(self, event: Event, visitors: Sequence[str]) -> set[str]:
        """Notes a sign of life of each; returns those who are neither waiting nor active."""
        if not visitors:
            return set()
        return {bytes(visitor).decode() for visitor in await self._call("beat", event, visitors)}

    async def leave(self, event: Event, visitor: str, reason: str = "left") -> bool:
        """Gives up the place or the session; holds are freed. False for who had neither."""
        return bool(await self._call("leave", event, [visitor, reason]))

    async def tell_sale_changed(self, event: Event) -> None:
        """Every server process reads the event anew and tells its browsers, instead of at its next look."""
        await self._call("sale", event, [])

    async def sweep(self, event: Event, *, batches: int = 1_000) -> SweepReport:
        """Ends what is over and lets the head of the queue in; `batches` scripts of `SWEEP_BATCH` visitors at most."""
        report = await self._sweep_batch(event)
        for _ in range(batches - 1):
            if not report.more:
                break
            report += await self._sweep_batch(event)
        return report

    async def _sweep_batch(self, event: Event) -> SweepReport:
        settings = self._settings
        arguments = [
            int(settings.active_grace_seconds * 1000),
            int(settings.waiting_grace_seconds * 1000),
            SWEEP_BATCH,
            _PACE_MEMORY_MS,
            int(event.sale_state(self._clock.now()) is SaleState.CLOSED),
            _CLOSED_KEPT_MS,
        ]
        answer = await self._call("sweep", event, arguments)
        if answer[0] == b"no_board":
            await self._boards.ensure(event)
            answer = await self._call("sweep", event, arguments)
        *done, waiting, active, stopped = (int(figure) for figure in answer)
        # Nothing done means that only those are left who must stay for now: another turn would change nothing.
        ended, silent, ghosts, lapsed, closed, admitted = done
        return SweepReport(
            ended, silent, ghosts, lapsed, closed, admitted, waiting, active, more=stopped > 0 and any(done)
        )

    def ticket(self, event: Event, visitor: str, number: int) -> str:
        return self._tickets.issue(event.slug, visitor, number)

    def limit(self, event: Event) -> int:
        """How many may be active now: none are let in while the sale is paused or not open."""
        if event.paused or event.sale_state(self._clock.now()) is not SaleState.OPEN:
            return 0
        return event.active_limit

    async def _call(self, name: str, event: Event, arguments: Sequence[str | int]) -> Any:
        slug = event.slug
        return await self._run(
            _SCRIPTS[name],
            _keys(slug),
            [
                keys.seat_state_prefix(slug),
                keys.seats_channel(slug),
                keys.queue_channel(slug),
                self.limit(event),
                int(self._settings.session_seconds * 1000),
                *arguments,
            ],
        )

    def _place(self, event: Event, answer: Sequence[Any]) -> Place | None:
        if answer[0] == b"none":
            return None
        state = PlaceState(bytes(answer[0]).decode())
        number, ahead, waiting, active, version = (int(float(figure)) for figure in answer[1:6])
        pace = float(answer[7]) if answer[7] else None
        is_active = state is PlaceState.ACTIVE
        session = self._settings.session_seconds
        return Place(
            state=state,
            number=number,
            ahead=ahead,
            waiting=waiting,
            active=active,
            version=version,
            until=from_millis(float(answer[6])) if is_active else None,
            eta_seconds=0 if is_active else eta_seconds(ahead, pace, event.active_limit, session),
        )


def _keys(slug: str) -> list[str]:
    """The order that `lua/queue.lua` names."""
    return [
        keys.waiting_queue(slug),
        keys.waiting_beats(slug),
        keys.waiting_number(slug),
        keys.waiting_spent(slug),
        keys.queue_version(slug),
        keys.active_users(slug),
        keys.active_until(slug),
        keys.active_paying(slug),
        keys.pace(slug),
        keys.board(slug),
        keys.board_version(slug),
        keys.holds(slug),
        keys.baskets(slug),
        keys.basket_deadlines(slug),
        keys.active_cap(slug),
    ]
