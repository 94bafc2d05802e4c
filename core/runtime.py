"""The composition root: everything that a process needs, opened in order and closed in the opposite one.

Nothing is connected at import. Parts take exactly what they use; only this module knows them all.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import databases
from redis.asyncio import Redis

from core.clock import Clock, SystemClock
from core.database import open_database
from core.embedded import Engines
from core.lua_redis import ScriptRunner
from core.seats.board_redis import BoardStore
from core.seats.guard import SeatGuard
from core.seats.guard_atomic_redis import AtomicGuard
from core.seats.guard_lock_redis import LockGuard
from core.seats.guard_optimistic_postgres import OptimisticGuard
from core.seats.scripts_redis import SeatScripts
from core.seats.seat_lock_redis import SeatLocks
from core.seats.seats import Seats
from core.settings import Settings
from core.store_redis import open_redis
from core.upkeep.jobs import Jobs
from core.upkeep.lease_redis import Leases
from core.upkeep.supervisor import Supervisor
from core.venue.event_store_postgres import EventStore
from core.waiting_room.queue_redis import WaitingRoom


@dataclass(slots=True)
class Runtime:
    """One process's parts. `process` is unique among all processes of the installation."""

    settings: Settings
    clock: Clock
    secret: str
    process: str
    database: databases.Database
    redis: Redis
    run: ScriptRunner
    events: EventStore
    waiting_room: WaitingRoom
    seats: Seats
    supervisor: Supervisor
    leases: Leases
    jobs: Jobs


@contextlib.asynccontextmanager
async def open_runtime(
    settings: Settings, engines: Engines, *, clock: Clock | None = None
) -> AsyncIterator[Runtime]:
    """Opens the stores and builds the parts. Jobs do not run until `start_jobs`. Raises StartupError."""
    clock = clock or SystemClock()
    secret = settings.secret_key.get_secret_value()
    process = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    async with contextlib.AsyncExitStack() as stack:
        database = await open_database(engines.database_url, settings.database_pool)
        stack.push_async_callback(database.disconnect)
        redis = await open_redis(engines.redis_url, settings.redis_pool)
        stack.push_async_callback(redis.aclose)
        supervisor = Supervisor()
        run = ScriptRunner(redis)
        scripts = SeatScripts(run, settings)
        boards = BoardStore(redis=redis, database=database, scripts=scripts)
        leases = Leases(redis, process)
        yield Runtime(
            settings=settings, clock=clock, secret=secret, process=process, database=database, redis=redis, run=run,
            events=EventStore(database, clock),
            waiting_room=WaitingRoom(run=run, boards=boards, settings=settings, secret=secret, clock=clock),
            seats=Seats(scripts=scripts, boards=boards, guard=seat_guard(settings, scripts, run, database, redis)),
            supervisor=supervisor, leases=leases, jobs=Jobs(supervisor=supervisor, leases=leases),
        )  # fmt: skip


def seat_guard(
    settings: Settings, scripts: SeatScripts, run: ScriptRunner, database: databases.Database, redis: Redis
) -> SeatGuard:
    """The guard that the setting names (S4)."""
    match settings.seat_guard:
        case "lock":
            locks = SeatLocks(run, wait=settings.lock_wait_seconds, lease=settings.lock_lease_seconds)
            return LockGuard(scripts, locks, redis)
        case "optimistic":
            return OptimisticGuard(scripts, database, redis, settings.optimistic_attempts)
        case _:
            return AtomicGuard(scripts)
