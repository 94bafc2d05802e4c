"""A calm sale: so many wait with a channel, each beats, and nothing happens. What does that cost Redis?

Commands are all that Redis carried out, those of scripts among them.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from typing import Any, Final

from redis import Redis

from bench.measure import Effort, Figure
from bench.memory import until_waiting
from bench.served import VALKEY, WEB, Served
from bench.sink import sink

_WAITING: Final = 5_000
_SECONDS: Final = 20.0
#: As the settings are unless somebody changes them.
BEAT_SECONDS: Final = 10.0


async def calm(serve: Callable[..., Served], effort: Effort) -> list[Figure]:
    """`serve` starts a sale with these settings, in the place of the one before."""
    served = await asyncio.to_thread(serve, beat_seconds=str(BEAT_SECONDS))
    return await asyncio.to_thread(_calm, served, effort)


def _calm(served: Served, effort: Effort) -> list[Figure]:
    count = min(effort.of(_WAITING, most=_WAITING), resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    seconds = min(_SECONDS, max(2.0, 20 * effort.seconds))
    slug = served.event(2000, active_limit=1)
    served.inside(slug, 1)
    tokens, path = served.visitors(count), f"/ws/events/{slug}"
    with sink(served.port, count, path=path, tokens=tokens, join=True, beat=BEAT_SECONDS) as waiting:
        waiting.wait_until_open()
        until_waiting(served.port, slug, count)
        time.sleep(min(2.0, seconds))  # the last of their first places
        with Redis.from_url(served.redis_url) as redis:
            before, cpu, began = _commands(redis), served.cpu(), time.monotonic()
            time.sleep(seconds)
            commands, took = _commands(redis) - before - 1, time.monotonic() - began
            spent = served.cpu().since(cpu)
    title = f"calm, {count:,} waiting"
    return [
        Figure(f"{title}: Redis commands", commands / took, "/s", most=300.0),
        Figure(f"{title}: Valkey", 100 * spent[VALKEY] / took, "% CPU"),
        Figure(f"{title}: web", 100 * spent[WEB] / took, "% CPU"),
    ]


def _commands(redis: Any) -> int:
    return int(redis.info("stats")["total_commands_processed"])
