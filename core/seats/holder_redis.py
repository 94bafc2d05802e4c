"""Who holds one seat, for operators."""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis

from core import keys
from core.process.calls import redis_call
from core.seats.hold_scripts_redis import HOLD_KEPT_MS


@dataclass(frozen=True, slots=True)
class Holder:
    """`ttl_seconds` until the seat comes free by itself; None when it never does."""

    visitor: str
    fence: int
    paying: bool
    ttl_seconds: float | None


async def holder_of(redis: Redis, slug: str, ordinal: int) -> Holder | None:
    """None when nobody holds the seat. Raises StoreUnavailable."""
    key = keys.seat_state(slug, ordinal)
    with redis_call:
        state, ttl = await redis.get(key), await redis.pttl(key)
    if state is None:
        return None
    visitor, fence, mode = (state.decode() if isinstance(state, bytes) else state).split("|")
    paying = mode == "paying"
    left = ttl if paying else max(ttl - HOLD_KEPT_MS, 0)
    return Holder(visitor, int(fence), paying, left / 1000 if ttl >= 0 else None)
