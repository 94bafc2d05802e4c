"""The waiting room and its draws, put together from the settings."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import databases
from redis.asyncio import Redis

from core.clock import Clock
from core.process.lua_redis import ScriptRunner
from core.seats.board_redis import BoardStore
from core.settings import Settings
from core.venue.codes_postgres import Codes
from core.venue.event_store_postgres import EventStore
from core.waiting_room.access_redis import Access
from core.waiting_room.admission_price import AdmissionPrice
from core.waiting_room.beacon_http import HttpBeacon, beacon_source
from core.waiting_room.captcha_http import Captcha, script_of
from core.waiting_room.drawing import Announcer, Drawing
from core.waiting_room.draws_postgres import Draws
from core.waiting_room.entries_redis import Entries
from core.waiting_room.price import Price
from core.waiting_room.proof_of_work import ProofOfWork
from core.waiting_room.queue_redis import WaitingRoom
from core.waiting_room.scripts_redis import QueueScripts
from core.waiting_room.ticket import Tickets
from core.waiting_room.turns_postgres import Turns
from core.waiting_room.turns_redis import TurnLog
from core.waiting_room.visit_times import VisitTimes


@dataclass(frozen=True, slots=True)
class WaitingRoomParts:
    waiting_room: WaitingRoom
    draws: Draws
    announcer: Announcer
    drawing: Drawing
    turn_log: TurnLog


def visit_times(settings: Settings) -> VisitTimes:
    return VisitTimes(
        session=settings.session_seconds,
        warning=settings.session_warning_seconds,
        beat=settings.beat_seconds,
        active_grace=settings.active_grace_seconds,
        waiting_grace=settings.waiting_grace_seconds,
        absent=settings.absent_seconds,
        stop=settings.stop_seconds,
        gap=max(3.0, 3 * settings.sweep_seconds),
    )


def price_of(settings: Settings) -> Price:
    """Every place is free where rate limits are off."""
    free = settings.proof_free_places if settings.rate_limits == "on" else sys.maxsize
    return Price(free, settings.proof_step_places, settings.proof_doublings)


def captcha_script(settings: Settings) -> str:
    """What shows the captcha's widget; empty where no captcha is set, or none that is known."""
    url = settings.captcha_verify_url
    return (settings.captcha_script or script_of(url)) if url else ""


def open_captcha(settings: Settings) -> Captcha | None:
    """None where none is set. Raises StartupError."""
    url, secret = settings.captcha_verify_url, settings.captcha_secret.get_secret_value()
    return Captcha(url, secret, settings.captcha_site_key, captcha_script(settings)) if url else None


def open_price(settings: Settings, stack: AsyncExitStack, clock: Clock) -> AdmissionPrice:
    """What places cost; `stack` closes what is opened. Raises StartupError."""
    captcha = open_captcha(settings)
    if captcha is not None:
        stack.push_async_callback(captcha.aclose)
    work = ProofOfWork(
        settings.secret_key.get_secret_value(),
        price=price_of(settings),
        tries=settings.proof_tries,
        seconds=settings.proof_seconds,
        clock=clock,
    )
    return AdmissionPrice(price=price_of(settings), work=work, captcha=captcha)


def open_access(settings: Settings, *, run: ScriptRunner, redis: Redis, codes: Codes, clock: Clock) -> Access:
    scripts = QueueScripts(run=run, session_seconds=settings.session_seconds, clock=clock)
    limits = settings.rate_limits == "on"
    return Access(redis=redis, run=run, scripts=scripts, codes=codes, clock=clock, limits=limits)


def open_waiting_room(
    settings: Settings,
    stack: AsyncExitStack,
    *,
    run: ScriptRunner,
    redis: Redis,
    database: databases.Database,
    events: EventStore,
    boards: BoardStore,
    access: Access,
    clock: Clock,
    forget: Callable[[str, str], None],
) -> WaitingRoomParts:
    """`stack` closes what is opened."""
    times = visit_times(settings)
    scripts = QueueScripts(run=run, session_seconds=times.session, clock=clock)
    draws, turns = Draws(database), Turns(database)
    beacon, source = HttpBeacon(), beacon_source(settings.beacon_url)
    stack.push_async_callback(beacon.aclose)
    announcer = Announcer(draws=draws, events=events, beacon=beacon, source=source, clock=clock)
    waiting_room = WaitingRoom(
        scripts=scripts,
        boards=boards,
        times=times,
        tickets=Tickets(settings.secret_key.get_secret_value(), settings.ticket_hours, clock),
        clock=clock,
        openings=announcer,
        turns=turns,
        price=open_price(settings, stack, clock),
        access=access,
        forget=forget,
    )
    entries = Entries(redis=redis, scripts=scripts, grace_seconds=times.waiting_grace, clock=clock)
    drawing = Drawing(events=events, draws=draws, entries=entries, announcer=announcer, beacon=beacon, clock=clock)
    turn_log = TurnLog(redis=redis, turns=turns, events=events, clock=clock)
    return WaitingRoomParts(waiting_room, draws, announcer, drawing, turn_log)
