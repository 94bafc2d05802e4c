"""When each periodic job last succeeded, in any process: what health judges, never the lease.

A lease only says that somebody holds it; a process whose run hangs may hold it for ever. Redis' own clock stamps and
tells the ages, so that processes on several machines agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from core import keys
from core.process.calls import redis_call
from core.process.source_files import SourceFiles

_LUA: Final = SourceFiles(__file__, "lua")
_NOTE: Final = _LUA["note_success"]
_READ: Final = _LUA["successes"]

_KEPT_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class LastSuccess:
    """`seconds` ago; after `late_after` seconds the job is late."""

    seconds: float
    late_after: float

    @property
    def late(self) -> bool:
        return self.seconds > self.late_after


class Successes:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def note(self, job: str, late_after: float) -> None:
        """The job has succeeded just now. Raises StoreUnavailable."""
        with redis_call:
            await self._redis.eval(_NOTE, 1, keys.JOBS, job, f"{late_after:g}", _KEPT_SECONDS)

    async def read(self) -> Mapping[str, LastSuccess]:
        """Each job's last success; one that never succeeded is missing. Raises StoreUnavailable."""
        with redis_call:
            now, flat = await self._redis.eval(_READ, 1, keys.JOBS)
        found = {}
        for job, value in zip(flat[::2], flat[1::2], strict=True):
            at, _, late_after = value.decode().partition("|")
            found[job.decode()] = LastSuccess(max(float(now) - float(at), 0.0), float(late_after))
        return found
