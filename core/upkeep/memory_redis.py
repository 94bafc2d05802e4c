"""How full Redis is, and whether it throws keys away (S11)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis, RedisCluster

from core.errors import StoreUnavailable
from core.process.calls import redis_call

log = structlog.get_logger(__name__)

_SAFE = "noeviction"


@dataclass(frozen=True, slots=True)
class NodeMemory:
    """One server's memory in bytes. `most`: its maxmemory, 0 for none. `evicted`: keys thrown away since it started."""

    node: str
    used: int
    most: int
    policy: str
    evicted: int

    @property
    def evicts(self) -> bool:
        """Whether keys are lost when it is full: a hold and a lock have a TTL, so `volatile-*` takes them first."""
        return self.most > 0 and not self.keeps_keys

    @property
    def keeps_keys(self) -> bool:
        """False when it would throw holds and boards away to make room, instead of refusing to write."""
        return self.policy == _SAFE


async def memory(redis: Redis) -> Sequence[NodeMemory]:
    """Of the one server, or of each master of a Cluster. Raises StoreUnavailable."""
    with redis_call:
        if isinstance(redis, RedisCluster):
            masters = redis.get_primaries()
            answers = {node.name: await redis.info(target_nodes=node) for node in masters}
        else:
            answers = {"redis": await redis.info()}
    return [node_memory(node, answer) for node, answer in answers.items()]


async def warn_of_eviction(redis: Redis) -> None:
    """One line in the log when keys may be lost; a Redis that does not say (a managed one may not) is believed."""
    with contextlib.suppress(StoreUnavailable):
        policies = sorted({node.policy for node in await memory(redis) if node.evicts})
        if policies:
            log.warning(
                "Redis may throw away holds, locks and boards when its memory is full: set maxmemory-policy noeviction",
                policy=", ".join(policies),
            )


def node_memory(node: str, answer: Mapping[str, Any]) -> NodeMemory:
    """From the answer to INFO; a server that says nothing of its policy is believed."""
    return NodeMemory(
        node=node,
        used=int(answer["used_memory"]),
        most=int(answer.get("maxmemory", 0) or 0),
        policy=str(answer.get("maxmemory_policy", _SAFE)),
        evicted=int(answer.get("evicted_keys", 0)),
    )
