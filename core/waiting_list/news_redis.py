"""Tells open pages that their place in the list has changed; who misses it asks now and then (F10)."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import orjson
from redis.asyncio import Redis

from core import keys
from core.errors import StoreUnavailable
from core.process.calls import redis_call
from core.venue.event import Event


async def tell(redis: Redis, event: Event, visitors: Sequence[str]) -> None:
    """Through whichever processes have their channels. What it is, a page asks for."""
    with contextlib.suppress(StoreUnavailable), redis_call:
        async with redis.pipeline(transaction=False) as pipeline:
            for visitor in dict.fromkeys(visitors):
                message = orjson.dumps({"visitor": visitor, "returns": True})
                pipeline.publish(keys.reservations_channel(event.slug), message)
            await pipeline.execute()
