"""How many wait and how many are in, of several events in one round trip: for health and metrics."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from core import keys
from core.process.calls import redis_call


async def sizes(redis: Redis, slugs: Sequence[str]) -> list[tuple[int, int]]:
    """(waiting, active) of each event. Raises StoreUnavailable."""
    if not slugs:
        return []
    with redis_call:
        async with redis.pipeline(transaction=False) as pipeline:
            for slug in slugs:
                pipeline.zcard(keys.waiting_queue(slug))
                pipeline.zcard(keys.active_users(slug))
            counts = await pipeline.execute()
    return list(zip(counts[::2], counts[1::2], strict=True))
