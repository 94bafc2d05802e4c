"""What a waiting browser costs: resident memory of a real serving process before and with channels that wait.

The limit: the same number of connections to a bare asyncio protocol on uvloop, which keeps nothing.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import httpx
import psutil

from bench.bare import bare
from bench.measure import Effort, Figure
from bench.served import Served
from bench.sink import sink

_PATIENCE: Final = 180.0
COUNTS: tuple[int, ...] = (1000, 5000)
#: Between two looks at a process's memory.
LOOK_SECONDS = 2.0
#: KiB.
_MOST: Final = 15.0


def memory(serve: Callable[[], AbstractContextManager[Served]], effort: Effort) -> list[Figure]:
    """Each count in a process of its own, by `serve`, after a first channel has loaded what all share. Blocks."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200
    counts = dict.fromkeys(effort.of(count, most=count) for count in COUNTS)
    return [_measure(serve, count) for count in counts if count <= most]


def _measure(serve: Callable[[], AbstractContextManager[Served]], count: int) -> Figure:
    with serve() as server:
        ours = _of_served(server, count)
    with bare("memory") as other:
        before = settled(other.process)
        with sink(other.port, count) as connections:
            connections.wait_until_open()
            limit = (settled(other.process) - before) / count / 1024
    # Pages are 4 KiB: of few connections to a process that has room there may be none.
    return Figure(
        f"memory of a waiting channel ({count:,} of them)",
        ours,
        "KiB",
        max(limit, 0.01),
        "bare asyncio protocol",
        most=_MOST,
    )


def _of_served(server: Served, count: int) -> float:
    slug = server.event(2000, active_limit=1)
    tokens = server.visitors(count + 1)
    path = f"/ws/events/{slug}"
    with sink(server.port, 1, path=path, tokens=tokens[:1], join=True) as first:
        first.wait_until_open()
        before = settled(server.web)
        with sink(server.port, count, path=path, tokens=tokens[1:], join=True) as others:
            others.wait_until_open()
            until_waiting(server.port, slug, count)
            return (settled(server.web) - before) / count / 1024


def until_waiting(port: int, slug: str, count: int) -> None:
    """A channel that is open but not in the queue yet has not cost all that it will."""
    wanted = f'onsale_queue_waiting{{event="{slug}"}} {count:.1f}'
    until = time.monotonic() + _PATIENCE
    while wanted not in httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text:
        if time.monotonic() > until:
            raise RuntimeError(f"not all of {count} visitors wait")
        time.sleep(0.5)


def settled(process: psutil.Process) -> int:
    """Resident bytes once they have stopped growing."""
    until, seen = time.monotonic() + _PATIENCE, -1
    while time.monotonic() < until:
        now = process.memory_info().rss
        if abs(now - seen) < 64 * 1024:
            return int(now)
        seen = now
        time.sleep(LOOK_SECONDS)
    return seen
