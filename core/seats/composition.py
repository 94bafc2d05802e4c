"""Seats and their guard, put together from the settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import databases
from redis.asyncio import Redis

from core.clock import Clock
from core.process.lua_redis import ScriptRunner
from core.seats.board_redis import BoardStore
from core.seats.guard import SeatGuard
from core.seats.guard_atomic_redis import AtomicGuard
from core.seats.guard_lock_redis import LockGuard
from core.seats.guard_optimistic_postgres import OptimisticGuard
from core.seats.halls import Halls
from core.seats.hoarding import HoardingBudget
from core.seats.known_taken import KnownTaken
from core.seats.scripts_redis import SeatScripts
from core.seats.seat_lock_redis import SeatLocks
from core.seats.seats import Seats
from core.settings import Settings
from core.venue.event import Event
from core.venue.event_store_postgres import EventStore


@dataclass(frozen=True, slots=True)
class SeatParts:
    seats: Seats
    scripts: SeatScripts
    boards: BoardStore
    locks: SeatLocks
    halls: Halls
    known: KnownTaken


def open_seats(
    settings: Settings,
    *,
    run: ScriptRunner,
    redis: Redis,
    database: databases.Database,
    events: EventStore,
    fix_phase: Callable[[Event, str], Awaitable[int | None]],
    clock: Clock,
) -> SeatParts:
    known = KnownTaken(clock)
    scripts = seat_scripts(settings, run, known)
    boards = BoardStore(redis=redis, database=database, scripts=scripts)
    locks = SeatLocks(run, wait=settings.lock_wait_seconds, lease=settings.lock_lease_seconds)
    halls = Halls(events.plan)
    guard = seat_guard(settings, scripts, locks, database, redis)
    seats = Seats(scripts=scripts, boards=boards, guard=guard, halls=halls, known=known, fix_phase=fix_phase)
    return SeatParts(seats, scripts, boards, locks, halls, known)


def seat_scripts(settings: Settings, run: ScriptRunner, known: KnownTaken | None = None) -> SeatScripts:
    return SeatScripts(
        run,
        extensions=settings.hold_extensions,
        after_purchase_seconds=settings.session_after_purchase_seconds,
        budget=hoarding_budget(settings),
        known=known,
    )


def hoarding_budget(settings: Settings) -> HoardingBudget:
    return HoardingBudget(
        settings.payment_window_seconds,
        settings.hoarding_baskets,
        settings.hoarding_visitors,
        settings.cool_down_seconds,
    )


def seat_guard(
    settings: Settings, scripts: SeatScripts, locks: SeatLocks, database: databases.Database, redis: Redis
) -> SeatGuard:
    """The guard that the setting names (S4)."""
    match settings.seat_guard:
        case "lock":
            return LockGuard(scripts, locks, redis)
        case "optimistic":
            return OptimisticGuard(scripts, database, redis, settings.optimistic_attempts)
        case _:
            return AtomicGuard(scripts)
