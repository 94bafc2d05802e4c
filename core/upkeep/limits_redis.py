"""The job that keeps the active limit within what the machines bear (S10)."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Gauge
from redis.asyncio import Redis

from core import audit_postgres as audit
from core import keys
from core.clock import Clock
from core.errors import StoreUnavailable
from core.process.calls import redis_call
from core.upkeep.load_redis import LoadReadings, Reading, worst
from core.venue.event import Event, SaleState
from core.venue.event_store_postgres import EventStore
from core.waiting_room.limit import Capacity, CapacityRates, LoadFollower

if TYPE_CHECKING:
    import databases

log = structlog.get_logger(__name__)

CAPACITY = Gauge("onsale_active_capacity", "Active visitors that the machines bear", multiprocess_mode="mostrecent")
SHARE = Gauge("onsale_active_limit_share", "Share of the capacity that the load allows", multiprocess_mode="mostrecent")


class ActiveLimits:
    """One round reads the load of all processes and writes each open event's cap; a cap not renewed ends by itself."""

    def __init__(
        self,
        *,
        redis: Redis,
        readings: LoadReadings,
        events: EventStore,
        mode: str,
        every_seconds: float,
        rates: CapacityRates,
        clock: Clock,
        database: databases.Database,
        follower: LoadFollower | None = None,
    ) -> None:
        """`mode`: `fixed`, `auto` or `load`; a round comes each `every_seconds`."""
        self._redis = redis
        self._readings = readings
        self._events = events
        self._mode = mode
        self._cap_ms = int(every_seconds * 6000)
        self._rates = rates
        self._clock = clock
        self._database = database
        self._follower = follower or LoadFollower()
        self._last: int | None = None

    async def run(self) -> None:
        """Raises StoreUnavailable."""
        mode = self._mode
        readings = await self._readings.fresh()
        if mode == "fixed" or not readings:
            return
        capacity = self._capacity(readings)
        now = self._clock.now()
        on_sale = [event for event in await self._events.list() if event.sale_state(now) is SaleState.OPEN]
        if mode == "load":
            await self._go_on(on_sale, capacity)
        share, reason = 1.0, ""
        if mode == "load":
            decision = self._follower.decide(worst(readings), self._clock.monotonic())
            share, reason = decision.share, decision.reason
        cap = max(1, round(capacity * share)) if share else 0
        CAPACITY.set(capacity)
        SHARE.set(share)
        with redis_call:
            for event in on_sale:
                await self._redis.set(keys.active_cap(event.slug), cap, px=self._cap_ms)
        if cap != self._last:
            await self._tell(cap, reason or "capacity", capacity)
            self._last = cap

    async def _go_on(self, on_sale: Sequence[Event], capacity: int) -> None:
        """Where another process did this until now, what it had found still holds: a new leader does not begin at full,
        and one that comes back not where it was.
        """
        if not on_sale:
            return
        with redis_call:
            cap = await self._redis.get(keys.active_cap(on_sale[0].slug))
        if cap is not None and int(cap) != self._last:
            self._last = int(cap)
            self._follower.begin_at(self._last / capacity)

    async def _tell(self, cap: int, reason: str, capacity: int) -> None:
        """Into the log, and for whoever asks later why so few were let in, into the audit trail."""
        log.info("active limit changed", cap=cap, before=self._last, reason=reason, capacity=capacity)
        if self._last is None:
            return  # the first figure of an installation is no change
        with contextlib.suppress(StoreUnavailable):
            await audit.record(
                self._database,
                actor=audit.SYSTEM,
                action="limit.changed",
                subject="-",
                cap=cap,
                before=self._last,
                reason=reason,
                capacity=capacity,
            )

    def _capacity(self, readings: Sequence[Reading]) -> int:
        cores = {reading.host: reading.cores for reading in readings}
        return Capacity(
            cores=sum(cores.values()),
            per_core=self._rates.per_core,
            safety=self._rates.safety,
            pool=min(reading.pool_size for reading in readings),
            per_connection=self._rates.per_connection,
            instances=len(readings),
        ).limit()
