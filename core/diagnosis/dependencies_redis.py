"""Redis, and what a sale needs of it: its board, a process that sweeps, a queue that moves."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import datetime

from redis.asyncio import Redis

from core import keys
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.process.store_redis import REDIS_LOST
from core.process.successes_redis import Successes
from core.upkeep.memory_redis import node_memory
from core.venue.event import Event, SaleState

_FULL = 0.8


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


async def redis(client: Redis) -> AsyncIterator[Finding]:
    began = time.monotonic()
    try:
        await client.ping()
        node = node_memory("redis", await client.info("memory"))
        role = (await client.info("replication")).get("role", "master")
    except REDIS_LOST as error:
        yield fail("redis", Cause.REDIS_AWAY, f"does not answer: {type(error).__name__}")
        return
    milliseconds = (time.monotonic() - began) * 1000
    used, most = node.used, node.most
    share = f"{used / 2**20:.0f} MiB" + (f" of {most / 2**20:.0f} MiB" if most else ", no maxmemory")
    detail = f"answers in {milliseconds:.0f} ms, {share}, policy {node.policy}"
    if role != "master":
        yield fail("redis", Cause.REDIS_READ_ONLY, f"this is a {role}")
    elif most and used >= most:
        yield fail("redis", Cause.REDIS_FULL, detail)
    elif most and used > most * _FULL:
        yield warn("redis", Cause.REDIS_MEMORY, detail)
    elif not node.evicts:
        yield passed("redis", detail)
    # Said besides the rest: a Redis that throws keys away is a full one.
    if node.evicts:
        yield warn("redis", Cause.REDIS_EVICTS, detail)


async def payments_job(client: Redis) -> AsyncIterator[Finding]:
    """Whether any process finishes the payments that were left over; nothing is said where none ever did."""
    last = (await Successes(client).read()).get("payments")
    if last is None:
        return
    since = f"{last.seconds:.0f} s"
    if last.late:
        yield fail("jobs", Cause.PAYMENTS_STOPPED, f"payments left over: no success for {since}")
    else:
        yield passed("jobs", f"payments left over are finished: succeeded {since} ago")


async def work(client: Redis, event: Event, now: datetime) -> AsyncIterator[Finding]:
    """The board, and whether any process sweeps."""
    board, version = keys.board(event.slug), keys.board_version(event.slug)
    if await client.exists(board) and await client.hexists(version, "epoch"):
        epoch, counter = await client.hmget(version, ["epoch", "counter"])
        yield passed("board", f"epoch {int(epoch or 0)}, version {int(counter or 0)}")
    else:
        yield fail("board", Cause.BOARD_LOST, "Redis has no board of this event", fix="board")
    last = (await Successes(client).read()).get("sweep")
    owner = await client.get(keys.job_lease("sweep"))
    by = f"; {_text(owner)} has its lease" if owner is not None else "; no process has its lease"
    if last is not None and not last.late:
        yield passed("sweep", f"succeeded {last.seconds:.0f} s ago{by}")
    elif event.sale_state(now) is SaleState.OPEN:
        since = f"no success for {last.seconds:.0f} s" if last is not None else "no success is known"
        yield fail("sweep", Cause.SWEEP_STOPPED, f"{since}{by}")
    limit, active = event.active_limit, await client.zcard(keys.active_users(event.slug))
    waiting, cap = await client.zcard(keys.waiting_queue(event.slug)), await client.get(keys.active_cap(event.slug))
    detail = f"{active} active of {limit}, {waiting} waiting"
    if cap is not None and int(cap) < limit:
        capped = f"{detail}; the load allows {int(cap)}"
        yield warn("queue", Cause.ADMISSION_CAPPED, capped) if waiting else passed("queue", capped)
    elif active >= limit and waiting:
        yield warn("queue", Cause.QUEUE_FULL, detail)
    elif waiting and not event.paused and event.sale_state(now) is SaleState.OPEN:
        yield fail("queue", Cause.ADMISSION_STALLED, f"{detail}: there is room, and nobody is let in", fix="sweep")
    else:
        yield passed("queue", detail)
