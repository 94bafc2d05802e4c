"""What many tasks publish at the same time leaves together: one round trip for those that meet, in their order."""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis

from core.process.calls import redis_call
from core.process.exchange_redis import Exchange
from core.process.gathered import Gathered

#: Messages of one round trip, at most.
_MOST: Final = 64


class Publisher:
    """`await publisher(channel, message)`. Raises StoreUnavailable; it may have been published then."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._gathered: Gathered[tuple[str, bytes], None] = Gathered("publisher", self._publish, most=_MOST)

    async def __call__(self, channel: str, message: bytes) -> None:
        # Each has a key of its own, and none has a place: they leave in the order in which they came.
        await self._gathered((channel, message), key=object())

    async def _publish(self, several: list[tuple[str, bytes]]) -> list[None]:
        exchange = Exchange(self._redis)
        with redis_call:
            try:
                answers = await exchange([("PUBLISH", channel, message) for channel, message in several])
            finally:
                await exchange.end()
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        return [None] * len(several)
