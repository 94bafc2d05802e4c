"""A sample of each open sale every few seconds, kept for an hour: who opens the console at 2 a.m. sees how it began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import databases
import orjson
from redis.asyncio import Redis

from core import keys
from core.clock import Clock
from core.figures.checkouts_postgres import checkouts
from core.figures.sale_redis import admission
from core.figures.vitals_redis import VitalsBoard, worst_fanout
from core.process.calls import redis_call
from core.seats.board import SeatState
from core.seats.seats import Seats
from core.venue.event import Event, SaleState
from core.venue.event_store_postgres import EventStore

EVERY_SECONDS = 5.0
SAMPLES = 720
_TTL_SECONDS = 2 * 3600


@dataclass(frozen=True, slots=True)
class Sample:
    """`at` is wall time in seconds; `confirmed` and `failed` checkouts are of the last minute; None is "not known"."""

    at: float
    waiting: int
    active: int
    limit: int
    held: int
    sold: int
    confirmed: int
    failed: int
    checkout_p95_seconds: float | None
    fanout_p95_ms: float | None


FIELDS = tuple(field.name for field in fields(Sample))


class History:
    """Raises StoreUnavailable."""

    def __init__(
        self,
        *,
        redis: Redis,
        database: databases.Database,
        events: EventStore,
        seats: Seats,
        vitals: VitalsBoard,
        clock: Clock,
    ) -> None:
        self._redis = redis
        self._database = database
        self._events = events
        self._seats = seats
        self._vitals = vitals
        self._clock = clock

    async def run(self) -> None:
        """The body of the `history` job: one sample of each open sale."""
        now = self._clock.now()
        fanout = worst_fanout(await self._vitals.all())
        for event in await self._events.list():
            if event.sale_state(now) is SaleState.OPEN:
                await self._keep(event, await self._sample(event, fanout))

    async def of(self, slug: str) -> Sequence[Sequence[float | None]]:
        """The samples kept, the oldest first, each in the order of `FIELDS`."""
        with redis_call:
            kept = await self._redis.lrange(keys.history(slug), 0, -1)
        samples = [orjson.loads(body) for body in reversed(kept)]
        return [sample for sample in samples if len(sample) == len(FIELDS)]

    async def _sample(self, event: Event, fanout: float | None) -> Sample:
        admitted = await admission(self._redis, event.slug)
        ended = await checkouts(self._database, event.id)
        board = await self._seats.board(event)
        limit = event.active_limit if admitted.cap is None else min(event.active_limit, admitted.cap)
        return Sample(
            at=round(self._clock.now().timestamp(), 1),
            waiting=admitted.waiting,
            active=admitted.active,
            limit=0 if event.paused else limit,
            held=board.states.count(SeatState.HELD),
            sold=board.states.count(SeatState.SOLD),
            confirmed=ended.confirmed,
            failed=ended.failed,
            checkout_p95_seconds=ended.p95_seconds,
            fanout_p95_ms=fanout,
        )

    async def _keep(self, event: Event, sample: Sample) -> None:
        key = keys.history(event.slug)
        with redis_call:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.lpush(key, orjson.dumps(astuple(sample)))
                pipeline.ltrim(key, 0, SAMPLES - 1)
                pipeline.expire(key, _TTL_SECONDS)
                await pipeline.execute()
