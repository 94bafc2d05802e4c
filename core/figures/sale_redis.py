"""One sale's queue and holds at this moment, in one round trip."""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis

from core import keys
from core.process.calls import redis_call


@dataclass(frozen=True, slots=True)
class Admission:
    """Visitors entered for a draw to come, waiting, active and paying; baskets with their seats; `cap`: what the load
    allows, None when it does not say; `pace`: active visitors who make room in a minute, None when not measured
    yet; `came_back`: to their places after a silence; `came_late`: places given up for one that was too long (F6).
    """

    entered: int
    waiting: int
    active: int
    paying: int
    baskets: int
    seats_held: int
    cap: int | None
    pace: float | None
    came_back: int
    came_late: int


async def admission(redis: Redis, slug: str) -> Admission:
    """Raises StoreUnavailable."""
    with redis_call:
        async with redis.pipeline(transaction=False) as pipeline:
            pipeline.hlen(keys.entries(slug))
            pipeline.zcard(keys.waiting_queue(slug))
            pipeline.zcard(keys.active_users(slug))
            pipeline.zcard(keys.active_paying(slug))
            pipeline.zcard(keys.basket_deadlines(slug))
            pipeline.zcard(keys.holds(slug))
            pipeline.get(keys.active_cap(slug))
            pipeline.hmget(keys.pace(slug), ["departures", "came_back", "came_late"])
            entered, waiting, active, paying, baskets, held, cap, rest = await pipeline.execute()
    pace, came_back, came_late = rest
    return Admission(
        entered=entered,
        waiting=waiting,
        active=active,
        paying=paying,
        baskets=baskets,
        seats_held=held,
        cap=None if cap is None else int(cap),
        pace=None if pace is None else round(float(pace), 1),
        came_back=int(came_back or 0),
        came_late=int(came_late or 0),
    )
