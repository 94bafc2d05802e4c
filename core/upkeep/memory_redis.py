"""How full Redis is, and whether it throws keys away (S11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis, RedisCluster

from core.errors import StoreUnavailable
from core.process.store_redis import REDIS_LOST


@dataclass(frozen=True, slots=True)
class NodeMemory:
    """One server's memory in bytes. `most`: its maxmemory, 0 for none. `evicted`: keys thrown away since it started."""

    node: str
    used: int
    most: int
    policy: str
    evicted: int

    @property
    def keeps_keys(self) -> bool:
        """False when it would throw holds and boards away to make room, instead of refusing to write."""
        return self.policy == "noeviction"


async def memory(redis: Redis) -> Sequence[NodeMemory]:
    """Of the one server, or of each master of a Cluster. Raises StoreUnavailable."""
    try:
        if isinstance(redis, RedisCluster):
            masters = redis.get_primaries()
            answers = {node.name: await redis.info(target_nodes=node) for node in masters}
        else:
            answers = {"redis": await redis.info()}
    except REDIS_LOST as error:
        raise StoreUnavailable(retry_after=2) from error
    return [_of(node, answer) for node, answer in answers.items()]


def _of(node: str, answer: Mapping[str, Any]) -> NodeMemory:
    return NodeMemory(
        node=node,
        used=int(answer["used_memory"]),
        most=int(answer.get("maxmemory", 0)),
        policy=str(answer.get("maxmemory_policy", "")),
        evicted=int(answer.get("evicted_keys", 0)),
    )
