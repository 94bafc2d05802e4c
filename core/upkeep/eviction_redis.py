"""Is Redis set up so that it can never throw away a hold, a lock or a board (S11)?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from redis.asyncio import Redis

from core.process.store_redis import REDIS_LOST

log = structlog.get_logger(__name__)

_SAFE = "noeviction"


def evicts(memory: Mapping[str, Any]) -> str | None:
    """The policy of `INFO memory` under which keys are lost when memory is full; None when none can be."""
    policy = str(memory.get("maxmemory_policy", _SAFE))
    return policy if int(memory.get("maxmemory", 0) or 0) > 0 and policy != _SAFE else None


async def warn_of_eviction(redis: Redis) -> None:
    """One line in the log when it is not; a Redis that does not say (a managed one may not) is believed."""
    try:
        memory = await redis.info("memory")
    except REDIS_LOST:
        return
    # A Cluster answers for one of its nodes, or for each by name.
    nodes = memory.values() if memory and all(isinstance(value, dict) for value in memory.values()) else [memory]
    policies = sorted({policy for node in nodes if (policy := evicts(node)) is not None})
    if policies:
        log.warning(
            "Redis may throw away holds, locks and boards when its memory is full: set maxmemory-policy noeviction",
            policy=", ".join(policies),
        )
