"""One event's queue, from Redis to this process's browsers: exact places, admissions, departures, lapsed baskets.

A place costs Redis one call when a visitor joins and none afterwards: the queue channel says who left, and
`realtime/places.py` does the arithmetic. Only a gap costs one more call, for all visitors of the process together.

News of one visitor (admitted, out) is pushed at once. Places are pushed by a tick, under a budget, so that a queue of
10,000 browsers costs a bounded part of a core: who is near the head hears each change, the others take turns.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import orjson
import structlog

from core.clock import from_millis
from core.errors import OnsaleError
from core.venue.event import Event
from core.waiting_room.pace import eta_seconds
from core.waiting_room.place import Place, PlaceState
from core.waiting_room.queue_redis import WaitingRoom
from realtime import metrics, wire
from realtime.attendance import Attendance, ToldPlace
from realtime.places import Base, Entry, Heard, Places, Tracked
from realtime.tasks import end, watched
from realtime.wire import ExpiredReason

log = structlog.get_logger(__name__)

_TICK_SECONDS: Final = 0.25
#: Visitors with at most this many before them hear each change of their place at the next tick.
_NEAR: Final = 100
#: `queue` messages a second to all others together: about 3% of a core.
_BUDGET_A_SECOND: Final = 2_000
#: How often the waits of visitors whose place does not move are looked at.
_WAITS_SECONDS: Final = 10.0
#: Visitors asked about in one call.
_CHUNK: Final = 1_000
_LOOK_UPS_AT_ONCE: Final = 32
_ASKS: Final = 4
#: Messages kept back while places are fetched, at most: a sale tells a few a second.
_MOST_HELD: Final = 2_000
_RETRY_SECONDS: Final = (0.1, 2.0)
#: Late messages of before the last fetch come within this long; an old version later than that is a queue begun anew.
_LATE_SECONDS: Final = 1.0


class QueueFeed:
    """`event` gives the event as it is now. `attendances` are kept by the owner; `start`, then wait for `ready`."""

    def __init__(
        self,
        event: Callable[[], Event],
        waiting_room: WaitingRoom,
        attendances: dict[str, Attendance],
        *,
        session_seconds: float,
        lapsed: Callable[[Attendance], Awaitable[None]],
        sale_changed: Callable[[], None] = lambda: None,
        tick_seconds: float = _TICK_SECONDS,
    ) -> None:
        self._event = event
        self._waiting_room = waiting_room
        self._attendances = attendances
        self._session_seconds = session_seconds
        self._lapsed = lapsed
        self._sale_changed = sale_changed
        self._tick_seconds = tick_seconds
        self._places = Places(0)
        self._held: list[dict[str, Any]] | None = []
        self._fetching: asyncio.Task[None] | None = None
        self._fetch_again = False
        self._fetched_at = 0.0
        self._near: dict[str, None] = {}
        self._far: dict[str, None] = {}
        self._doubted: dict[str, None] = {}
        self._doubts = asyncio.Event()
        self._waiting = 0
        self._pace: float | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._small: set[asyncio.Task[None]] = set()
        self.ready = asyncio.Event()

    def start(self) -> None:
        slug = self._event().slug
        self._tasks = [
            watched(self._push(), name=f"realtime.places.{slug}"),
            watched(self._resolve_doubts(), name=f"realtime.doubts.{slug}"),
        ]

    async def stop(self) -> None:
        await end(*self._tasks, self._fetching, *self._small)

    # What the subscription tells.

    def subscribed(self) -> None:
        self._resync("subscribed" if self.ready.is_set() else "start")

    def message(self, data: bytes) -> None:
        told: dict[str, Any] = orjson.loads(data)
        if self._held is not None:
            if len(self._held) >= _MOST_HELD:
                # Redis tells, but has not answered for long: the answer that comes is newer than these.
                del self._held[: _MOST_HELD // 2]
            self._held.append(told)
        elif not self._take(told):
            self._held = [told]
            self._resync("gap")

    # What channels ask.

    async def learn(self, attendance: Attendance, call: Awaitable[Place | None]) -> bool:
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
            call = self._waiting_room.place(self._event(), attendance.visitor)
        place = await call
        # Fresh answers that are older than what is known: the queue was begun anew, and this is what is true now.
        self._resync("anew")
        attendance.version = -1
        return self._accept(attendance, place) or told

    def queue_message(self, attendance: Attendance, *, ticket: bool) -> bytes | None:
        """The visitor's `queue` message now; None for who does not wait."""
        entry = self._places.entry(attendance.visitor)
        if entry is None or attendance.state is not PlaceState.WAITING:
            return None
        fields: dict[str, Any] = {}
        event = self._event()
        if ticket:
            fields["ticket"] = self._waiting_room.ticket(event, attendance.visitor, entry.number)
        return self._encode(event, attendance, entry, **fields)

    def forget(self, attendance: Attendance) -> None:
        """The visitor's last tab is closed."""
        self._drop(attendance.visitor)
        self._doubted.pop(attendance.visitor, None)

    # News of single visitors.

    def _accept(self, attendance: Attendance, place: Place | None) -> bool | None:
        """Whether the tabs were told of a change; None when the answer is older than what is known: ask again."""
        if place is None:
            self._drop(attendance.visitor)
            return attendance.expired(ExpiredReason.HEARTBEAT, attendance.version)
        if place.version < attendance.version:
            return None
        self._waiting = place.waiting
        if place.until is not None:  # the end of an active visitor's session
            self._drop(attendance.visitor)
            return attendance.admitted(place.number, place.until, place.version)
        tracked = self._places.track(attendance.visitor, place.number, place.ahead, place.version)
        if tracked is not Tracked.TRACKED:
            return None
        return attendance.waits(place.number, place.version)

    def _take(self, told: dict[str, Any]) -> bool:
        """One message in its turn. False: messages before it are missing."""
        version: int = told["v"]
        heard = self._places.hear(version, told.get("left", ()), told.get("returned", ()))
        if heard is Heard.GAP:
            return False
        if heard is Heard.OLD and time.monotonic() - self._fetched_at > _LATE_SECONDS:
            self._resync("anew")
        self._waiting = told.get("waiting", self._waiting)
        self._pace = told.get("pace", self._pace)
        if told.get("sale"):
            self._sale_changed()
        for visitor, number, until_ms in told.get("admitted", ()):
            if attendance := self._newer(visitor, version):
                self._drop(visitor)
                attendance.admitted(int(number), from_millis(until_ms), version)
        for visitor, reason in told.get("out", ()):
            if attendance := self._newer(visitor, version):
                self._drop(visitor)
                attendance.expired(_reason(reason), version)
        for visitor in told.get("lapsed", ()):
            if attendance := self._attendances.get(visitor):
                self._spawn(self._tell_lapsed(attendance))
        return True

    def _newer(self, visitor: str, version: int) -> Attendance | None:
        """The visitor, when this news is certainly newer than what is known; equal versions are asked about."""
        attendance = self._attendances.get(visitor)
        if attendance is None:
            return None
        attendance.revision += 1
        if version > attendance.version:
            return attendance
        if version == attendance.version:
            self._doubt(visitor)
        return None

    async def _tell_lapsed(self, attendance: Attendance) -> None:
        try:
            await self._lapsed(attendance)
        except OnsaleError as error:
            log.warning("basket not looked up", visitor=attendance.visitor, code=error.code)

    def _drop(self, visitor: str) -> None:
        self._places.forget(visitor)
        self._near.pop(visitor, None)
        self._far.pop(visitor, None)

    async def _resolve_doubts(self) -> None:
        while True:
            await self._doubts.wait()
            self._doubts.clear()
            while self._doubted:
                some = [self._doubted.popitem()[0] for _ in range(min(_LOOK_UPS_AT_ONCE, len(self._doubted)))]
                attendances = [a for a in map(self._attendances.get, some) if a is not None]
                results = await asyncio.gather(*map(self._look_up, attendances), return_exceptions=True)
                failed = [a for a, result in zip(attendances, results, strict=True) if result is not None]
                if failed:
                    log.warning("visitors not looked up", visitors=len(failed), error=str(next(filter(None, results))))
                    self._doubted.update(dict.fromkeys(a.visitor for a in failed))
                    await asyncio.sleep(_RETRY_SECONDS[1])

    async def _look_up(self, attendance: Attendance) -> None:
        await self.learn(attendance, self._waiting_room.place(self._event(), attendance.visitor))

    # Fetching all places anew.

    def _resync(self, cause: str) -> None:
        metrics.RESYNCS.labels("queue", cause).inc()
        if self._fetching is not None and not self._fetching.done():
            self._fetch_again = True
            return
        self._fetching = watched(self._fetch_places(), name=f"realtime.resync.{self._event().slug}")

    async def _fetch_places(self) -> None:
        pause, longest = _RETRY_SECONDS
        while True:
            self._fetch_again = False
            self._held = self._held if self._held is not None else []
            visitors = list(self._attendances)
            try:
                version, bases = await self._bases(visitors)
                gone = await self._gone([visitor for visitor in visitors if visitor not in bases])
            except OnsaleError as error:
                log.warning("places not fetched", slug=self._event().slug, code=error.code)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, longest)
                continue
            if self._fetch_again:
                continue
            self._reset(version, bases, gone)
            self._fetched_at = time.monotonic()
            if self._catch_up():
                break
        self.ready.set()

    async def _bases(self, visitors: list[str]) -> tuple[int, dict[str, Base]]:
        """The least queue version of the answers, and the places of those who wait."""
        versions, bases = [], {}
        for chunk in _chunks(visitors) or [[]]:
            version, standing = await self._waiting_room.places(self._event(), chunk)
            versions.append(version)
            bases.update({visitor: Base(*place, version) for visitor, place in standing.items()})
        return min(versions), bases

    async def _gone(self, visitors: list[str]) -> set[str]:
        """Those who are neither waiting nor active. Their channels are open, so asking is a beat as well."""
        gone: set[str] = set()
        for chunk in _chunks(visitors):
            gone |= await self._waiting_room.beat(self._event(), chunk)
        return gone

    def _reset(self, version: int, bases: dict[str, Base], gone: set[str]) -> None:
        """Takes in what was fetched; whom it leaves in doubt (let in meanwhile, above all) is asked about singly."""
        anew = version < self._places.version
        self._places.reset(version, bases)
        for visitor, attendance in self._attendances.items():
            if anew:
                attendance.version = -1
            base = bases.get(visitor)
            if base is None and visitor in gone and attendance.version <= version:
                attendance.expired(ExpiredReason.HEARTBEAT, version)
            elif base is not None and base.version > attendance.version:
                if self._places.track(visitor, *base) is Tracked.TRACKED:
                    # With another number for who left and came back by another process.
                    attendance.waits(base.number, base.version)
            elif base is None or attendance.state is not PlaceState.WAITING:
                self._doubt(visitor)

    def _doubt(self, visitor: str) -> None:
        self._doubted[visitor] = None
        self._doubts.set()

    def _catch_up(self) -> bool:
        """Takes what was held back. False: there is a gap in it."""
        held, self._held = self._held or [], None
        for at, told in enumerate(held):
            if not self._take(told):
                self._held = held[at:]
                return False
        return True

    # Pushing places.

    async def _push(self) -> None:
        looked_at_waits = time.monotonic()
        while True:
            await asyncio.sleep(self._tick_seconds)
            try:
                if time.monotonic() - looked_at_waits > _WAITS_SECONDS:
                    looked_at_waits = time.monotonic()
                    self._mark(self._places.entries())
                self._mark(self._places.changed())
                self._send_due(int(_BUDGET_A_SECOND * self._tick_seconds))
            except Exception:
                log.exception("places not sent", slug=self._event().slug)

    def _mark(self, entries: Iterable[Entry]) -> None:
        event = self._event()
        for entry in entries:
            attendance = self._attendances.get(entry.visitor)
            if attendance is None or not _worth_telling(attendance.told_place, self._place(event, entry)):
                continue
            if entry.ahead <= _NEAR:
                self._far.pop(entry.visitor, None)
                self._near[entry.visitor] = None
            else:
                self._far.setdefault(entry.visitor, None)

    def _send_due(self, budget: int) -> None:
        near, self._near = self._near, {}
        for visitor in near:
            self._send_place(visitor)
        # First come, first told: a visitor who is due stays in turn, whatever changes meanwhile.
        for visitor in [visitor for visitor, _ in zip(self._far, range(budget), strict=False)]:
            del self._far[visitor]
            self._send_place(visitor)

    def _send_place(self, visitor: str) -> None:
        attendance = self._attendances.get(visitor)
        if attendance is not None and (message := self.queue_message(attendance, ticket=False)):
            attendance.tell(message)
            metrics.PLACES_SENT.inc(len(attendance.tabs))

    def _encode(self, event: Event, attendance: Attendance, entry: Entry, **fields: Any) -> bytes:
        place = attendance.told_place = self._place(event, entry)
        return wire.encode(
            "queue", number=entry.number, ahead=place.ahead, waiting=place.waiting, eta=place.eta, **fields
        )

    def _place(self, event: Event, entry: Entry) -> ToldPlace:
        eta = eta_seconds(entry.ahead, self._pace, event.active_limit, self._session_seconds)
        return ToldPlace(entry.ahead, max(self._waiting, entry.ahead + 1), eta)

    def _spawn(self, coroutine: Any) -> None:
        task = watched(coroutine, name="realtime.news")
        self._small.add(task)
        task.add_done_callback(self._small.discard)


def _worth_telling(told: ToldPlace | None, now: ToldPlace) -> bool:
    """A place that moved; or another figure that is off by more than a tenth and five."""
    if told is None or told.ahead != now.ahead:
        return True
    if told.eta is None or now.eta is None:
        return told.eta is not now.eta
    return any(abs(old - new) > max(5, old // 10) for old, new in ((told.eta, now.eta), (told.waiting, now.waiting)))


def _reason(name: str) -> ExpiredReason:
    try:
        return ExpiredReason(name)
    except ValueError:
        return ExpiredReason.LEFT


def _chunks(visitors: list[str]) -> list[list[str]]:
    return [visitors[first : first + _CHUNK] for first in range(0, len(visitors), _CHUNK)]
