"""For how long a command keeps Redis from everybody else: its own slow log says."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

_MOST_ENTRIES: Final = 4_096


@dataclass(frozen=True, slots=True)
class SlowLog:
    redis: Redis
    from_us: int

    async def longest_ms(self) -> float:
        """Of the longest command since the log was emptied; what was quicker than `from_us` counts as that."""
        slow: list[dict[str, Any]] = await self.redis.slowlog_get(_MOST_ENTRIES)
        return max((entry["duration"] for entry in slow), default=self.from_us) / 1000

    async def empty(self) -> None:
        await self.redis.slowlog_reset()


@contextlib.asynccontextmanager
async def slow_log(redis: Redis, *, from_us: int) -> AsyncIterator[SlowLog]:
    """An empty one, of what takes `from_us` microseconds at least. Afterwards Redis logs what it logged before."""
    before = await redis.config_get("slowlog-*")
    await redis.config_set("slowlog-log-slower-than", from_us)
    await redis.config_set("slowlog-max-len", _MOST_ENTRIES)
    try:
        kept = SlowLog(redis, from_us)
        await kept.empty()
        yield kept
    finally:
        for name, value in before.items():
            await redis.config_set(str(name), str(value))
