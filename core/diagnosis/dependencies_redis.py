"""Redis: does it answer, does it take writes, has it memory and room on its disk left?"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ResponseError

from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.process.store_redis import REDIS_LOST
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
        told = "does not answer in time" if timeout else f"does not answer: {str(error) or type(error).__name__}"
        yield fail("redis", Cause.REDIS_AWAY, told)
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
    share = f"{used / 2**20:.0f} MiB" + (f" of {most / 2**20:.0f} MiB" if most else ", no maxmemory")
    detail = f"answers in {milliseconds:.0f} ms, {share}, policy {node.policy}"
    role = str(answer.get("role", "master"))
    unsaved = [key for key in ("aof_last_write_status", "aof_last_bgrewrite_status") if answer.get(key, "ok") != "ok"]
    # Unless this is set Redis goes on without its snapshot; a managed one may not say.
    snapshot = answer.get("rdb_last_bgsave_status", "ok") != "ok"
    found = []
    if role != "master":
        found.append(fail(name, Cause.REDIS_READ_ONLY, f"this is a {role}"))
    elif most and used >= most:
        found.append(fail(name, Cause.REDIS_FULL, detail))
    elif "aof_last_write_status" in unsaved:
        found.append(fail(name, Cause.DISK_FULL, f"{detail}; it cannot write its append-only file, and refuses writes"))
    elif snapshot or unsaved:
        found.append(warn(name, Cause.DISK_FULL, f"{detail}; its last snapshot failed: it may refuse writes"))
    elif most and used > most * _FULL:
        found.append(warn(name, Cause.REDIS_MEMORY, detail))
    elif not node.evicts:
        found.append(passed(name, detail))
    # Said besides the rest: a Redis that throws keys away is a full one.
    if node.evicts:
        found.append(warn(name, Cause.REDIS_EVICTS, detail))
    return found
