"""How soon buyers are served again after a kill: of PostgreSQL, of Valkey, of all web processes at once.

`onsale serve` with engines of its own; each is killed with SIGKILL. What an engine takes to answer by itself is told
apart from what a buyer waits for a call that needs it: the product may add five seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psutil

from bench.measure import Figure
from core.embedded import EmbeddedPostgres, EmbeddedValkey

#: Beyond the engine's own start.
_ADDED_SECONDS: Final = 5.0
_PAUSE: Final = 0.05
_LONGEST: Final = 120.0
#: Until the next kill: what recovers in the background has done so.
_CALM_SECONDS: Final = 12.0
_READY: Final = "Ctrl-C"
_WORKERS: Final = 2


@dataclass
class _Shop:
    process: asyncio.subprocess.Process
    client: httpx.AsyncClient
    data: Path

    def web(self) -> list[psutil.Process]:
        """The oldest first: the youngest is the one that waits to take another's place."""
        children = psutil.Process(self.process.pid).children()
        found = [child for child in children if "cli.web_worker" in child.cmdline()]
        return sorted(found, key=psutil.Process.create_time)

    async def served(self, method: str, path: str) -> bool:
        try:
            return (await self.client.request(method, path)).is_success
        except httpx.HTTPError:
            return False


@contextlib.asynccontextmanager
async def _shop() -> AsyncIterator[_Shop]:
    with tempfile.TemporaryDirectory(prefix="onsale-recovery-") as folder:
        data = Path(folder) / "data"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ONSALE_")},
            **dict.fromkeys(("DATABASE_URL", "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS"), ""),
            "ONSALE_DATA": str(data),
            "ONSALE_RATE_LIMITS": "off",
            "ONSALE_LOG_LEVEL": "error",
            "ONSALE_ACTIVE_GRACE_SECONDS": "900",
            "WORKERS": str(_WORKERS),
            "PORT": "0",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "serve", "--demo"),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            url = ""
            async with asyncio.timeout(_LONGEST):
                while _READY not in (line := (await process.stdout.readline()).decode()):
                    url = line.split()[-1] if "runs at" in line else url
            async with httpx.AsyncClient(base_url=url, timeout=20) as client:
                token = (await client.post("/api/visitors")).json()["token"]
                client.headers["Authorization"] = f"Bearer {token}"
                (await client.post("/api/events/demo/queue")).raise_for_status()
                yield _Shop(process, client, data)
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


async def _first(check: Callable[[], Awaitable[bool]], began: float) -> float:
    """Seconds from `began` until it is true."""
    while not await check():
        if time.perf_counter() - began > _LONGEST:
            raise TimeoutError(f"not recovered within {_LONGEST:.0f} s")
        await asyncio.sleep(_PAUSE)
    return time.perf_counter() - began


async def _after_engine(shop: _Shop, engine: EmbeddedPostgres | EmbeddedValkey, method: str, path: str) -> list[float]:
    """[the engine answers again, a buyer's call is served again], in seconds from the kill."""

    async def answers() -> bool:
        reply = await asyncio.to_thread(engine.reply)
        return reply is not None and engine.answers(reply)

    pid = engine.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    began = time.perf_counter()
    while engine.alive():
        await asyncio.sleep(0.001)
    return list(await asyncio.gather(_first(answers, began), _first(lambda: shop.served(method, path), began)))


async def _after_web(shop: _Shop, count: int) -> list[float]:
    """[a process has loaded the program, a buyer's call is served again], in seconds; the `count` oldest are killed."""
    began = time.perf_counter()
    alone = await asyncio.create_subprocess_exec(sys.executable, "-c", "import web.server")
    await alone.wait()
    loaded = time.perf_counter() - began
    async with asyncio.timeout(_LONGEST):
        while len(shop.web()) < _WORKERS + 1:
            await asyncio.sleep(_PAUSE)
    await asyncio.sleep(_CALM_SECONDS)
    for process in shop.web()[:count]:
        process.kill()
    return [loaded, await _first(lambda: shop.served("GET", "/api/events/demo/holds"), time.perf_counter())]


async def recovery(rounds: int = 3) -> list[Figure]:
    """The worst of some rounds of each."""
    figures = []
    async with _shop() as shop:
        kinds: dict[str, Callable[[], Awaitable[list[float]]]] = {
            "PostgreSQL": lambda: _after_engine(shop, EmbeddedPostgres(shop.data), "GET", "/api/reservations"),
            "Valkey": lambda: _after_engine(shop, EmbeddedValkey(shop.data), "GET", "/api/events/demo/queue"),
            "all web processes that serve": lambda: _after_web(shop, _WORKERS),
            "these and the one that waits": lambda: _after_web(shop, _WORKERS + 1),
        }
        for name, kill in kinds.items():
            taken = []
            for _ in range(min(rounds, 5)):
                taken.append(await kill())
                await asyncio.sleep(_CALM_SECONDS)
            engine, call = max(taken, key=lambda one: one[1] - one[0])
            figures.append(
                Figure(
                    f"recovery: {name} killed",
                    engine + _ADDED_SECONDS,
                    "s allowed",
                    call,
                    f"until a call is served; its own start {engine:.1f}",
                    aim=1.0,
                    detail={"engine": [one[0] for one in taken], "call": [one[1] for one in taken]},
                )
            )
    return figures
