"""Locks without a TTL: nobody will ever release them. They are deleted and reported (S32).

Every lock of ours is set with its TTL in one command, so one without was written by a hand, by another program, or by
a version with a bug. Holds without a TTL are the consistency job's: it knows what the seat ought to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis

from core import audit_postgres as audit
from core.process.calls import redis_call
from core.process.source_files import SourceFiles

if TYPE_CHECKING:
    import databases

log = structlog.get_logger(__name__)

DELETED = Counter("onsale_locks_without_ttl_deleted", "Locks without a TTL that the janitor deleted")

_PATTERN = "lock:*"
_PAGE = 500
_DELETE = SourceFiles(__file__, "lua")["delete_without_ttl"]


async def delete_stray_locks(redis: Redis, database: databases.Database) -> None:
    """The body of the `janitor` job: what was deleted stands in the audit trail. Raises StoreUnavailable."""
    deleted = await delete_locks_without_ttl(redis)
    if deleted:
        await audit.record(
            database,
            actor=audit.SYSTEM,
            action="heal.locks",
            subject="-",
            count=len(deleted),
            locks=deleted[:20],
        )


async def delete_locks_without_ttl(redis: Redis) -> list[str]:
    """The names of the locks that were deleted. Raises StoreUnavailable."""
    found = []
    with redis_call:
        async for key in redis.scan_iter(match=_PATTERN, count=_PAGE):
            name = key.decode()
            if await redis.pttl(name) != -1:
                continue
            if await delete_lock_without_ttl(redis, name):
                found.append(name)
    return found


async def delete_lock_without_ttl(redis: Redis, name: str) -> bool:
    """False when it is gone, or has a TTL by now. Raises what Redis raises."""
    deleted = bool(await redis.eval(_DELETE, 1, name))
    if deleted:
        DELETED.inc()
        log.warning("lock without TTL deleted", key=name)
    return deleted
