"""The parts of upkeep that go by settings."""

from __future__ import annotations

import databases
from redis.asyncio import Redis

from core.clock import Clock
from core.settings import Settings
from core.upkeep.limits_redis import ActiveLimits
from core.upkeep.load_redis import LoadReadings
from core.upkeep.reconcile import Reconcile
from core.upkeep.reconcile_rounds import ReconcileRounds
from core.venue.event_store_postgres import EventStore
from core.waiting_room.limit import CapacityRates, LoadFollower


def open_limits(
    settings: Settings,
    *,
    redis: Redis,
    readings: LoadReadings,
    events: EventStore,
    clock: Clock,
    database: databases.Database,
    follower: LoadFollower | None = None,
) -> ActiveLimits:
    return ActiveLimits(
        redis=redis,
        readings=readings,
        events=events,
        mode=settings.active_limit_mode,
        every_seconds=settings.limits_seconds,
        rates=CapacityRates(
            per_core=settings.capacity_per_core,
            safety=settings.capacity_safety,
            per_connection=settings.capacity_per_connection,
        ),
        clock=clock,
        database=database,
        follower=follower,
    )


def open_rounds(
    settings: Settings, *, events: EventStore, reconcile: Reconcile, clock: Clock, database: databases.Database
) -> ReconcileRounds:
    return ReconcileRounds(
        events=events,
        reconcile=reconcile,
        every_minutes=settings.reconcile_minutes,
        full_every=settings.reconcile_full_every,
        clock=clock,
        database=database,
    )
