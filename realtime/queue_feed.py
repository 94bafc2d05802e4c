"""One event's queue, from Redis to this process's browsers: who was let in, who is out, whose place is whose.

A place costs Redis one call when a visitor joins and none afterwards: the queue channel says who left, and
`realtime/places.py` does the arithmetic. Only a gap costs one more call, for all visitors of the process together
(`realtime/resync.py`). News of one visitor is told at once; places are pushed by `realtime/place_pushes.py`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import orjson

from core.clock import from_millis
from core.process.supervisor import Service, Supervisor
from core.venue.event import Event
from core.waiting_room.place import Out, Place, PlaceState
from core.waiting_room.queue_redis import WaitingRoom
from realtime.attendance import Attendance, Attendances
from realtime.look_ups import LookUps
from realtime.place_pushes import PlacePushes
from realtime.places import Base, Heard, Places, Tracked
from realtime.resync import PAUSES, Resync
from realtime.wire import ExpiredReason

#: Visitors asked about in one call.
_CHUNK: Final = 1_000
_ASKS: Final = 4
#: Messages held back while places are fetched, at most: a sale tells a few a second.
MOST_HELD: Final = 2_000
#: How often the version is compared with Redis: one small call.
_AUDIT_SECONDS: Final = 15.0
#: Late messages of before the last fetch come within this long; an old version later than that is a queue begun anew.
_LATE_SECONDS: Final = 1.0

Told = dict[str, Any]


class QueueState(NamedTuple):
    """Of the visitors of this process: the places of those who wait, at `version` or later, who has entered, and who
    is out, with why."""

    version: int
    bases: dict[str, Base]
    entered: set[str]
    gone: dict[str, str]


class QueueFeed:
    """`event` gives the event as it is now; `start`, then wait for `ready`. Implements `resync.Replica`.

    Only this class writes where an `Attendance` stands.
    """

    def __init__(
        self,
        event: Callable[[], Event],
        waiting_room: WaitingRoom,
        attendances: Attendances,
        places: Places,
        pushes: PlacePushes,
        *,
        lapsed: Callable[[str], None],
        sale_changed: Callable[[], None] = lambda: None,
        kept: Callable[[str], None] = lambda visitor: None,
        swept: Callable[[float], None] = lambda stands: None,
        gone: Callable[[str], None] = lambda visitor: None,
        missed: Callable[[], None] = lambda: None,
        audit_seconds: float = _AUDIT_SECONDS,
    ) -> None:
        self._event = event
        self._waiting_room = waiting_room
        self._attendances = attendances
        self._places = places
        self._pushes = pushes
        self._lapsed = lapsed
        self._sale_changed = sale_changed
        self._kept = kept
        self._swept = swept
        self._gone = gone
        self._missed = missed
        self._slug = event().slug
        self._fetched_at = 0.0
        #: Why somebody is said to be out, while that is asked about.
        self._heard: dict[str, ExpiredReason] = {}
        #: The last draw that was told.
        self._drawn = 0
        #: How many have entered; None while nobody gathers.
        self.entered: int | None = None
        self._doubts = LookUps("places", self._look_up)
        self.resync: Resync[QueueState, Told] = Resync(
            "queue", self._slug, self, most_held=MOST_HELD, audit_seconds=audit_seconds
        )
        self.ready = self.resync.ready

    def start(self, supervisor: Supervisor) -> list[Service]:
        return [
            *self.resync.start(supervisor),
            supervisor.run_forever(f"realtime.doubts {self._slug}", self._doubts.run, backoff=PAUSES),
        ]

    @property
    def in_step(self) -> bool:
        """In step with Redis, and nobody's place is in doubt."""
        return not self.resync.behind_for() and self._doubts.none_left

    # What the subscription tells.

    def subscribed(self) -> None:
        self.resync.begin("subscribed" if self.ready.is_set() else "start")

    def message(self, data: bytes) -> None:
        self.resync.hear(orjson.loads(data))

    # What channels ask and tell.

    async def learn(self, attendance: Attendance, call: Awaitable[Place | Out | None]) -> bool:
        """Awaits an answer about the visitor and takes it in, unless newer news came meanwhile; then asks again.

        True when the visitor's tabs were told of a change. Raises what the call raises.
        """
        told = False
        for _ in range(_ASKS):
            revision = attendance.revision
            place = await call
            if attendance.revision == revision:
                outcome = self._accept(attendance, place)
                if outcome is not None:
                    return told or outcome
            told = told or attendance.revision != revision
            call = self._waiting_room.place_or_out(self._event(), attendance.visitor)
        place = await call
        # Fresh answers that are older than what is known: the queue was begun anew, and this is what is true now.
        self.resync.begin("anew")
        attendance.version = -1
        return self._accept(attendance, place) or told

    def left(self, attendance: Attendance) -> bool:
        """The visitor has given up the place. True when the tabs were told."""
        return self._out(attendance, ExpiredReason.LEFT, attendance.version)

    def absent(self, attendance: Attendance, revision: int, why: str) -> None:
        """A sign of life has found the visitor neither waiting nor active, when `revision` was the last news; `why` as
        Redis knows it.
        """
        if attendance.revision == revision:
            self._out(attendance, self._why(attendance.visitor, why), attendance.version)

    def forget(self, visitor: str) -> None:
        """The visitor's last tab is closed."""
        self._pushes.forget(visitor)
        self._doubts.forget(visitor)
        self._heard.pop(visitor, None)

    # What `Resync` keeps in step.

    async def fetch(self) -> QueueState:
        visitors = self._attendances.visitors()
        versions: list[int] = []
        bases: dict[str, Base] = {}
        entered: set[str] = set()
        for chunk in _chunks(visitors) or [[]]:
            version, waiting, inside = await self._waiting_room.places(self._event(), chunk)
            versions.append(version)
            bases.update({visitor: Base(*place, version) for visitor, place in waiting.items()})
            entered |= inside
        gone: dict[str, str] = {}
        # Their channels are open, so asking is a beat as well.
        for chunk in _chunks([visitor for visitor in visitors if visitor not in bases and visitor not in entered]):
            gone |= await self._waiting_room.beat(self._event(), chunk)
        return QueueState(min(versions), bases, entered, gone)

    def load(self, state: QueueState) -> None:
        """Whom the state leaves in doubt (let in meanwhile, above all) is asked about singly."""
        self._missed()
        version, bases, entered, gone = state
        anew = version < self._places.version
        self._fetched_at = time.monotonic()
        self._places.reset(version, bases)
        for attendance in self._attendances:
            visitor = attendance.visitor
            if anew:
                attendance.version = -1
            base = bases.get(visitor)
            if base is None and visitor in gone and attendance.version <= version:
                attendance.expired(self._why(visitor, gone[visitor]), version)
            elif base is not None and base.version > attendance.version:
                if self._places.track(visitor, *base) is Tracked.TRACKED:
                    # A drawn place: so many are told at once that it is spread.
                    drawn = attendance.state is PlaceState.ENTERED
                    # With another number for who left and came back by another process.
                    attendance.waits(base.number, base.version, tell=not drawn)
                    if drawn:
                        self._pushes.spread(visitor)
            elif visitor in entered:
                if attendance.state is not PlaceState.ENTERED:
                    self._doubts.doubt(visitor)
            elif base is None or attendance.state is not PlaceState.WAITING:
                self._doubts.doubt(visitor)

    def take(self, message: Told) -> bool:
        version: int = message["v"]
        drawn = message.get("drawn", 0)
        if drawn > self._drawn:
            # Everybody who had entered has a number now: they are asked for together, as after a gap.
            self._drawn = drawn
            return False
        heard = self._places.hear(version, message.get("left", ()), message.get("returned", ()))
        if heard is Heard.GAP:
            return False
        if heard is Heard.OLD and time.monotonic() - self._fetched_at > _LATE_SECONDS:
            self.resync.begin("anew")
        if (crowd := message.get("waiting")) is not None:
            # A purchase's message (settle.lua) knows neither; where the crowd is told, no room is none.
            self._pushes.waiting, self._pushes.room = crowd, message.get("room", 0)
        self._pushes.pace = message.get("pace", self._pushes.pace)
        if spread := message.get("spread"):
            self._pushes.waits_spread = (spread[0], spread[1])
        self.entered = message.get("entered")
        if message.get("sale"):
            self._sale_changed()
        for visitor, number, until_ms in message.get("admitted", ()):
            if attendance := self._newer(visitor, version):
                self._pushes.forget(visitor)
                attendance.admitted(int(number), from_millis(until_ms), version)
        for visitor, reason in message.get("out", ()):
            self._gone(visitor)
            if attendance := self._newer(visitor, version):
                self._out(attendance, _reason(reason), version)
            elif self._attendances.get(visitor):
                # Not certainly news, so it is asked about; if it is, this is why.
                self._heard[visitor] = _reason(reason)
        for visitor in message.get("lapsed", ()):
            self._gone(visitor)
            self._lapsed(visitor)
        for visitor, _, until_ms in message.get("longer", ()):
            if attendance := self._attendances.get(visitor):
                attendance.lasts(from_millis(until_ms))
        for visitor in message.get("kept", ()):
            self._kept(visitor)
        if (stands := message.get("stands")) is not None:
            self._swept(stands)
        return True

    def withdraw(self) -> list[Told]:
        """Nothing: places of a later version than the state's are kept by `Places` itself."""
        return []

    async def current(self) -> tuple[int, ...]:
        return ((await self._waiting_room.places(self._event(), [])).version,)

    @property
    def head(self) -> tuple[int, ...]:
        return (self._places.version,)

    # News of single visitors.

    def _accept(self, attendance: Attendance, place: Place | Out | None) -> bool | None:
        """Whether the tabs were told of a change; None when the answer is older than what is known: ask again."""
        if not isinstance(place, Place):
            why = place.reason if place is not None else ""
            attendance.ended = _reason(why) if why else None
            return self._out(attendance, self._why(attendance.visitor, why), attendance.version)
        self._heard.pop(attendance.visitor, None)
        if place.version < attendance.version:
            return None
        if place.entry is not None:
            self._pushes.forget(attendance.visitor)
            self.entered = place.entry.entered
            return attendance.enters(place.entry, place.version)
        self._pushes.waiting = place.waiting
        if place.until is not None:  # the end of an active visitor's session
            self._pushes.forget(attendance.visitor)
            return attendance.admitted(place.number, place.until, place.version)
        tracked = self._places.track(attendance.visitor, place.number, place.ahead, place.version)
        if tracked is not Tracked.TRACKED:
            return None
        return attendance.waits(place.number, place.version)

    def _newer(self, visitor: str, version: int) -> Attendance | None:
        """The visitor, when this news is certainly newer than what is known; equal versions are asked about."""
        attendance = self._attendances.get(visitor)
        if attendance is None:
            return None
        attendance.revision += 1
        if version > attendance.version:
            return attendance
        if version == attendance.version:
            self._doubts.doubt(visitor)
        return None

    def _why(self, visitor: str, known: str = "") -> ExpiredReason:
        """Why somebody who is not in any more is out, as Redis knows it, else as far as was heard."""
        heard = self._heard.pop(visitor, ExpiredReason.HEARTBEAT)
        return _reason(known) if known else heard

    def _out(self, attendance: Attendance, reason: ExpiredReason, version: int) -> bool:
        self._pushes.forget(attendance.visitor)
        return attendance.expired(reason, version)

    async def _look_up(self, visitor: str) -> None:
        if attendance := self._attendances.get(visitor):
            await self.learn(attendance, self._waiting_room.place_or_out(self._event(), visitor))


def _reason(name: str) -> ExpiredReason:
    try:
        return ExpiredReason(name)
    except ValueError:
        return ExpiredReason.LEFT


def _chunks(visitors: list[str]) -> list[list[str]]:
    return [visitors[first : first + _CHUNK] for first in range(0, len(visitors), _CHUNK)]
