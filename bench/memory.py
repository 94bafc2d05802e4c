"""What a waiting browser costs: resident memory of a real serving process before and with channels that wait."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import psutil

from bench.fan_out import _tokens
from bench.measure import Figure
from bench.sink import sink
from bench.stores import UNHURRIED, event_of
from core.runtime import Runtime
from core.settings import variable_name

_PATIENCE: Final = 180.0


async def memory(runtime: Runtime, *, counts: tuple[int, ...] = (1000, 5000)) -> list[Figure]:
    """Each count in a process of its own, after a first channel has loaded what all of them share."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200
    return [
        await asyncio.to_thread(_measure, runtime, await _event(runtime), count) for count in counts if count <= most
    ]


async def _event(runtime: Runtime) -> str:
    """Nobody is let in but the first."""
    return (await event_of(runtime, 2000, active_limit=1)).slug


def _measure(runtime: Runtime, slug: str, count: int) -> Figure:
    tokens = _tokens(runtime, count + 1)
    with _serving(runtime) as (port, process):
        path = f"/ws/events/{slug}"
        with sink(port, 1, path=path, tokens=tokens[:1], join=True) as first:
            first.wait_until_open()
            before = _settled(process)
            with sink(port, count, path=path, tokens=tokens[1:], join=True) as others:
                others.wait_until_open()
                _until_waiting(port, slug, count)
                after = _settled(process)
    detail = {"before_mb": before / 1e6, "after_mb": after / 1e6}
    return Figure(
        f"memory of a waiting channel ({count:,} of them)", (after - before) / count / 1024, "KiB", detail=detail
    )


def _until_waiting(port: int, slug: str, count: int) -> None:
    """A channel that is open but not in the queue yet has not cost all that it will."""
    wanted = f'onsale_queue_waiting{{event="{slug}"}} {count:.1f}'
    until = time.monotonic() + _PATIENCE
    while wanted not in httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text:
        if time.monotonic() > until:
            raise RuntimeError(f"not all of {count} visitors wait")
        time.sleep(0.5)


def _settled(process: psutil.Process) -> int:
    """Resident bytes once they have stopped growing."""
    until, seen = time.monotonic() + _PATIENCE, -1
    while time.monotonic() < until:
        now = process.memory_info().rss
        if abs(now - seen) < 64 * 1024:
            return now
        seen = now
        time.sleep(2.0)
    return seen


@contextmanager
def _serving(runtime: Runtime) -> Iterator[tuple[int, psutil.Process]]:
    """`onsale serve` on the run's stores; its port and its one web process."""
    settings = runtime.settings
    ours = {
        "database_url": settings.database_url,
        "redis_url": settings.redis_url,
        "data": str(settings.data),
        "secret_key": runtime.secret,
        "rate_limits": "off",
        "port": "0",
        "log_level": "warning",
        **{name: str(seconds) for name, seconds in UNHURRIED.items()},
    }
    environment = {**os.environ, **{variable_name(name): value for name, value in ours.items()}}
    with tempfile.TemporaryDirectory(prefix="onsale-serve-") as folder:
        output = Path(folder) / "output"
        with output.open("wb") as out:
            server = subprocess.Popen(
                [sys.executable, "-m", "cli", "serve"],
                env=environment,
                stdout=out,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            until = time.monotonic() + _PATIENCE
            while not (found := re.search(r"runs at http://127\.0\.0\.1:(\d+)", output.read_text())):
                if server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("the server did not start")
                time.sleep(0.1)
            (web,) = (child for child in psutil.Process(server.pid).children() if "cli.web_worker" in child.cmdline())
            yield int(found[1]), web
        finally:
            server.terminate()
            server.wait(60)
