"""Signs of life of this process's browsers, written to Redis once a second, all together.

A sign is a `beat`, any other message, or (for a while) a WebSocket pong: see `realtime/channel.py`. Who turns out to
be neither waiting nor active is told so: the second net for an `out` message that was lost.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

from core.errors import OnsaleError
from core.process.supervisor import Service, Supervisor
from core.process.tasks import cancelled
from core.venue.event import Event
from core.waiting_room.queue_redis import WaitingRoom
from realtime import metrics
from realtime.attendance import Attendance
from realtime.resync import PAUSES

log = structlog.get_logger(__name__)

_TICK_SECONDS: Final = 1.0
#: Visitors in one call.
_CHUNK: Final = 1_000


class Attended(Protocol):
    """Where visitors are present: one event's live side."""

    event: Event

    def absent(self, attendance: Attendance, revision: int, why: str) -> None:
        """The visitor was neither waiting nor active, for this reason, when `revision` was the last news."""
        ...


class Presence:
    """`alive` as often as you like; one Redis call for each event and thousand visitors each `tick_seconds`."""

    def __init__(self, waiting_room: WaitingRoom, *, tick_seconds: float = _TICK_SECONDS) -> None:
        self._waiting_room = waiting_room
        self._tick_seconds = tick_seconds
        self._seen: dict[Attended, dict[str, Attendance]] = {}
        self._service: Service | None = None

    def start(self, supervisor: Supervisor) -> None:
        self._service = supervisor.run_forever("realtime.presence", self._run, backoff=PAUSES)

    async def stop(self) -> None:
        """Writes what was gathered, so that a restart of this process costs nobody a place."""
        if self._service is not None:
            await self._service.end()
        await self.flush()

    def alive(self, at: Attended, attendance: Attendance) -> None:
        """Only who waits or is active has anything to keep alive."""
        if attendance.state is not None:
            self._seen.setdefault(at, {})[attendance.visitor] = attendance

    async def flush(self) -> None:
        """Writes what was gathered. What could not be written is kept for the next time."""
        seen, self._seen = self._seen, {}
        left = [(at, chunk) for at, visitors in seen.items() for chunk in _chunks(list(visitors.values()))]
        try:
            left = [(at, chunk) for at, chunk in left if not await self._write(at, chunk)]
        finally:
            for at, chunk in left:
                for attendance in chunk:
                    self.alive(at, attendance)

    async def _write(self, at: Attended, attendances: list[Attendance]) -> bool:
        revisions = {attendance.visitor: attendance.revision for attendance in attendances}
        try:
            missing = await self._waiting_room.beat(at.event, list(revisions))
        except OnsaleError as error:
            log.warning("beats not written", slug=at.event.slug, visitors=len(attendances), code=error.code)
            return False
        metrics.BEATS.inc(len(attendances))
        for attendance in attendances:
            if attendance.visitor in missing:
                # News that came while the call was under way is newer than its answer.
                at.absent(attendance, revisions[attendance.visitor], missing[attendance.visitor])
        return True

    async def _run(self) -> None:
        while not cancelled():
            await asyncio.sleep(self._tick_seconds)
            await self.flush()


def _chunks(attendances: list[Attendance]) -> list[list[Attendance]]:
    return [attendances[first : first + _CHUNK] for first in range(0, len(attendances), _CHUNK)]
