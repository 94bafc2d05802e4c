"""Redis: does it answer, does it take writes, has it memory and room on its disk left?"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ResponseError

from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.process.store_redis import REDIS_LOST
from core.sentences import said
from core.upkeep.memory_redis import node_memory

_FULL = 0.8


async def redis(client: Redis) -> AsyncIterator[Finding]:
    """Of the one server, or of each master of a Cluster."""
    began = time.monotonic()
    try:
        await _answers(client)
        milliseconds = (time.monotonic() - began) * 1000
        nodes = await _info(client)
    except REDIS_LOST as error:
        timeout = isinstance(error, TimeoutError) or "imeout" in type(error).__name__
        why = str(error) or type(error).__name__
        yield fail("redis", Cause.REDIS_AWAY, said("store.silent") if timeout else said("store.away", why=why))
        return
    for name, answer in nodes.items():
        for finding in _judged(name, answer, milliseconds):
            yield finding


async def _answers(client: Redis) -> None:
    """One that cannot write to its disk refuses even PING, in so many words: INFO says the rest."""
    try:
        await client.ping()
    except ResponseError as error:
        if not str(error).startswith("MISCONF"):
            raise


async def _info(client: Redis) -> Mapping[str, Mapping[str, Any]]:
    if isinstance(client, RedisCluster):
        return {node.name: await client.info(target_nodes=node) for node in client.get_primaries()}
    return {"redis": await client.info()}


def _judged(name: str, answer: Mapping[str, Any], milliseconds: float) -> list[Finding]:
    node = node_memory(name, answer)
    used, most = node.used, node.most
    mebibytes = round(used / 2**20)
    memory = (
        said("redis.memory", used=mebibytes, most=round(most / 2**20))
        if most
        else said("redis.memory_unbounded", used=mebibytes)
    )
    standing = said("redis.standing", milliseconds=round(milliseconds), memory=memory, policy=node.policy)
    role = str(answer.get("role", "master"))
    unsaved = [key for key in ("aof_last_write_status", "aof_last_bgrewrite_status") if answer.get(key, "ok") != "ok"]
    # Unless this is set Redis goes on without its snapshot; a managed one may not say.
    snapshot = answer.get("rdb_last_bgsave_status", "ok") != "ok"
    found = []
    if role != "master":
        found.append(fail(name, Cause.REDIS_READ_ONLY, said("redis.role", role=role)))
    elif most and used >= most:
        found.append(fail(name, Cause.REDIS_FULL, standing))
    elif "aof_last_write_status" in unsaved:
        found.append(fail(name, Cause.DISK_FULL, said("redis.no_appends", standing=standing)))
    elif snapshot or unsaved:
        found.append(warn(name, Cause.DISK_FULL, said("redis.no_snapshot", standing=standing)))
    elif most and used > most * _FULL:
        found.append(warn(name, Cause.REDIS_MEMORY, standing))
    elif not node.evicts:
        found.append(passed(name, standing))
    # Said besides the rest: a Redis that throws keys away is a full one.
    if node.evicts:
        found.append(warn(name, Cause.REDIS_EVICTS, standing))
    return found
