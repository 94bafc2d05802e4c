"""A lease on a job: one process of all runs it; when that one dies another does, after the lease."""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis

from core import keys
from core.process.source_files import SourceFiles
from core.process.store_redis import REDIS_LOST

_LUA: Final = SourceFiles(__file__, "lua")
_TAKE: Final = _LUA["take_lease"]
#: Deletes a key (KEYS 1) that still has this value (ARGV 1).
DELETE_IF: Final = _LUA["delete_if"]


class Leases:
    """`owner` is this process's unique name. With Redis away nobody has a lease."""

    def __init__(self, redis: Redis, owner: str) -> None:
        self._redis = redis
        self._owner = owner

    @property
    def me(self) -> str:
        return self._owner

    async def owner(self, job: str) -> str | None:
        """Who has it; None: nobody, or Redis does not say."""
        try:
            found = await self._redis.get(keys.job_lease(job))
        except REDIS_LOST:
            return None
        return found.decode() if isinstance(found, bytes) else found

    async def take(self, job: str, seconds: float) -> bool:
        """Takes the lease, or renews it. False: another process has it, or Redis does not say."""
        try:
            return bool(await self._redis.eval(_TAKE, 1, keys.job_lease(job), self._owner, int(seconds * 1000)))
        except REDIS_LOST:
            return False

    async def give(self, job: str) -> None:
        try:
            await self._redis.eval(DELETE_IF, 1, keys.job_lease(job), self._owner)
        except REDIS_LOST:
            return  # it ends by itself
