"""Signs of life of this process's browsers, written to Redis once a second, all together.

A sign is a `beat`, any other message, or a WebSocket pong: a background tab may run its timers once a minute, but its
browser answers pings at once (S9). Who turns out to be neither waiting nor active is told so: the second net
for an `out` message that was lost.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from core.errors import OnsaleError
from core.venue.event import Event
from core.waiting_room.queue_redis import WaitingRoom
from realtime import metrics
from realtime.attendance import Attendance
from realtime.tasks import end, watched
from realtime.wire import ExpiredReason

log = structlog.get_logger(__name__)

_TICK_SECONDS: Final = 1.0
#: Visitors in one call.
_CHUNK: Final = 1_000


class Presence:
    """`alive` as often as you like; one Redis call for each event and thousand visitors each `tick_seconds`."""

    def __init__(self, waiting_room: WaitingRoom, *, tick_seconds: float = _TICK_SECONDS) -> None:
        self._waiting_room = waiting_room
        self._tick_seconds = tick_seconds
        self._seen: dict[str, tuple[Event, dict[str, Attendance]]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = watched(self._run(), name="realtime.presence")

    async def stop(self) -> None:
        """Writes what was gathered, so that a restart of this process costs nobody a place."""
        await end(self._task)
        await self.flush()

    def alive(self, event: Event, attendance: Attendance) -> None:
        """Only who waits or is active has anything to keep alive."""
        if attendance.state is None:
            return
        _, visitors = self._seen.setdefault(event.slug, (event, {}))
        visitors[attendance.visitor] = attendance

    async def flush(self) -> None:
        """Writes what was gathered. What could not be written is kept for the next time."""
        seen, self._seen = self._seen, {}
        for event, visitors in seen.values():
            attendances = list(visitors.values())
            for first in range(0, len(attendances), _CHUNK):
                await self._write(event, attendances[first : first + _CHUNK])

    async def _write(self, event: Event, attendances: list[Attendance]) -> None:
        revisions = {attendance.visitor: attendance.revision for attendance in attendances}
        try:
            missing = await self._waiting_room.beat(event, list(revisions))
        except OnsaleError as error:
            log.warning("beats not written", slug=event.slug, visitors=len(attendances), code=error.code)
            for attendance in attendances:
                self.alive(event, attendance)
            return
        metrics.BEATS.inc(len(attendances))
        if not missing:
            return
        for attendance in attendances:
            # News that came while the call was under way is newer than its answer.
            if attendance.visitor in missing and attendance.revision == revisions[attendance.visitor]:
                attendance.expired(ExpiredReason.HEARTBEAT, attendance.version)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._tick_seconds)
            try:
                await self.flush()
            except Exception:
                log.exception("beats not written")
