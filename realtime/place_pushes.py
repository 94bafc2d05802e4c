"""Places on their way to the browsers that wait: a tick that tells whom `realtime/pacing.py` names, as many as there is
time for (`realtime/idle_budget.py`)."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from core.process.tasks import cancelled
from core.venue.event import Event
from core.waiting_room.pace import eta_seconds, wait_band
from core.waiting_room.place import PlaceState
from core.waiting_room.queue_redis import WaitingRoom
from realtime import metrics, wire
from realtime.attendance import Attendance, Attendances
from realtime.idle_budget import IdleBudget
from realtime.pacing import Pacing, ToldPlace, worth_telling
from realtime.places import Entry, Places

_TICK_SECONDS: Final = 0.25
#: Within so long everybody who was drawn knows the place (F1).
SPREAD_SECONDS: Final = 2.0
#: Messages before other work of the process gets a turn.
_TURN: Final = 200
#: `queue` messages a second to all who are not near the head together, in a process without time: 3% of a core.
_LEAST_A_SECOND: Final = 2_000
#: What such a message costs, in seconds of processor time, until it was measured.
_SECONDS_EACH: Final = 15e-6
#: Where there is time, telling everybody takes so many seconds: with the sweep and the tick before it, a new place is
#: on every screen within about two. More often nobody needs it.
_ALL_SECONDS: Final = 1.0
#: How often the waits of visitors whose place does not move are looked at.
_WAITS_SECONDS: Final = 10.0


class PlacePushes:
    """`run` never returns. `waiting` (visitors), `room` (so many from the head the next sweep lets in), `pace`
    (departures a minute) and `waits_spread` (see `wait_band`) are what the queue told last."""

    def __init__(
        self,
        event: Callable[[], Event],
        waiting_room: WaitingRoom,
        attendances: Attendances,
        places: Places,
        *,
        session_seconds: float,
        tick_seconds: float = _TICK_SECONDS,
    ) -> None:
        self._event = event
        self._waiting_room = waiting_room
        self._attendances = attendances
        self._places = places
        self._session_seconds = session_seconds
        self._tick_seconds = tick_seconds
        self._pacing = Pacing()
        self._budget = IdleBudget(_LEAST_A_SECOND, _SECONDS_EACH)
        self._first: dict[str, None] = {}
        self._first_at_once = 0
        self.waiting = 0
        self.room = 0
        self.pace: float | None = None
        self.waits_spread: tuple[float, float] | None = None

    def message(self, attendance: Attendance, *, ticket: bool) -> bytes | None:
        """The visitor's `queue` message now; None for who does not wait."""
        entry = self._places.entry(attendance.visitor)
        if entry is None or attendance.state is not PlaceState.WAITING:
            return None
        fields: dict[str, Any] = {}
        event = self._event()
        if ticket:
            fields["ticket"] = self._waiting_room.ticket(event, attendance.visitor, entry.number)
        place = attendance.told_place = self._place(event, entry)
        return wire.encode(
            "queue",
            number=entry.number,
            ahead=place.ahead,
            waiting=place.waiting,
            wait=wait._asdict() if (wait := wait_band(place.eta, self.waits_spread)) else None,
            eta=place.eta,
            **fields,
        )

    def spread(self, visitor: str) -> None:
        """The visitor's first place after a draw: told within `SPREAD_SECONDS`, with those of everybody else."""
        self._first[visitor] = None

    def forget(self, visitor: str) -> None:
        """The visitor waits no more."""
        self._first.pop(visitor, None)
        self._places.forget(visitor)
        self._pacing.forget(visitor)

    async def run(self) -> None:
        # All are looked at first: a run that failed may have lost sight of some whose place had moved.
        looked_at_waits = -_WAITS_SECONDS
        while not cancelled():
            due = time.monotonic() + self._tick_seconds
            await asyncio.sleep(self._tick_seconds)
            late = time.monotonic() - due
            if time.monotonic() - looked_at_waits > _WAITS_SECONDS:
                looked_at_waits = time.monotonic()
                self._mark(self._places.entries())
            self._mark(self._places.changed())
            await self._send_first()
            enough = len(self._places) / _ALL_SECONDS
            await self._send_due(self._budget.pieces(time.monotonic(), time.process_time(), late, enough))

    async def _send_first(self) -> None:
        """A share of the drawn places, in the order of asking: nobody's rank decides who knows first."""
        if not self._first:
            self._first_at_once = 0
            return
        ticks = max(1, int(SPREAD_SECONDS / self._tick_seconds) - 1)
        self._first_at_once = max(self._first_at_once, math.ceil(len(self._first) / ticks))
        for sent, visitor in enumerate(list(self._first)[: self._first_at_once], 1):
            self._first.pop(visitor, None)
            attendance = self._attendances.get(visitor)
            if attendance is not None:
                for tab in attendance.tabs:
                    tab.told_waiting()
                metrics.PLACES_SENT.inc(len(attendance.tabs))
            if sent % _TURN == 0:
                await asyncio.sleep(0)

    def _mark(self, entries: Iterable[Entry]) -> None:
        event = self._event()
        for entry in entries:
            attendance = self._attendances.get(entry.visitor)
            if entry.visitor in self._first:
                continue
            if attendance is not None and worth_telling(attendance.told_place, self._place(event, entry)):
                self._pacing.mark(entry.visitor, entry.ahead)

    async def _send_due(self, budget: int) -> None:
        sent, began = 0, time.thread_time()
        for visitor in self._pacing.due(budget):
            attendance = self._attendances.get(visitor)
            if attendance is not None and (message := self.message(attendance, ticket=False)):
                attendance.tell(message)
                metrics.PLACES_SENT.inc(len(attendance.tabs))
            sent += 1
            if sent % _TURN == 0:
                self._budget.spent(time.thread_time() - began, _TURN)
                await asyncio.sleep(0)
                began = time.thread_time()
        self._budget.spent(time.thread_time() - began, sent % _TURN)

    def _place(self, event: Event, entry: Entry) -> ToldPlace:
        eta = eta_seconds(entry.ahead, self.pace, event.active_limit, self._session_seconds, self.room)
        wait = wait_band(eta, self.waits_spread)
        return ToldPlace(entry.ahead, max(self.waiting, entry.ahead + 1), eta, wait.high if wait else None)
