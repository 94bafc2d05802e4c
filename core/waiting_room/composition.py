"""The waiting room and its draws, put together from the settings."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

import databases
from redis.asyncio import Redis

from core.clock import Clock
from core.process.lua_redis import ScriptRunner
from core.seats.board_redis import BoardStore
from core.settings import Settings
from core.venue.event_store_postgres import EventStore
from core.waiting_room.beacon_http import HttpBeacon
from core.waiting_room.drawing import Announcer, Drawing
from core.waiting_room.draws_postgres import Draws
from core.waiting_room.entries_redis import Entries
from core.waiting_room.queue_redis import WaitingRoom
from core.waiting_room.scripts_redis import QueueScripts
from core.waiting_room.ticket import Tickets
from core.waiting_room.visit_times import VisitTimes


@dataclass(frozen=True, slots=True)
class WaitingRoomParts:
    waiting_room: WaitingRoom
    draws: Draws
    announcer: Announcer
    drawing: Drawing


def visit_times(settings: Settings) -> VisitTimes:
    return VisitTimes(
        session=settings.session_seconds,
        warning=settings.session_warning_seconds,
        beat=settings.beat_seconds,
        active_grace=settings.active_grace_seconds,
        waiting_grace=settings.waiting_grace_seconds,
    )


def open_waiting_room(
    settings: Settings,
    stack: AsyncExitStack,
    *,
    run: ScriptRunner,
    redis: Redis,
    database: databases.Database,
    events: EventStore,
    boards: BoardStore,
    clock: Clock,
) -> WaitingRoomParts:
    """`stack` closes what is opened."""
    times = visit_times(settings)
    scripts = QueueScripts(run=run, session_seconds=times.session, clock=clock)
    draws = Draws(database)
    beacon = HttpBeacon(settings.beacon_url) if settings.beacon_url else None
    if beacon is not None:
        stack.push_async_callback(beacon.aclose)
    announcer = Announcer(draws=draws, events=events, beacon=beacon, clock=clock)
    waiting_room = WaitingRoom(
        scripts=scripts,
        boards=boards,
        times=times,
        tickets=Tickets(settings.secret_key.get_secret_value(), settings.ticket_hours),
        clock=clock,
        openings=announcer,
    )
    entries = Entries(redis=redis, scripts=scripts, grace_seconds=times.waiting_grace, clock=clock)
    drawing = Drawing(events=events, draws=draws, entries=entries, announcer=announcer, beacon=beacon, clock=clock)
    return WaitingRoomParts(waiting_room, draws, announcer, drawing)
