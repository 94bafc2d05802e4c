"""How soon buyers are served again after a kill: of PostgreSQL, of Valkey, of all web processes at once.

`onsale serve` with engines of its own; each is killed with SIGKILL. The limit is what the killed one takes by itself:
an engine until it answers, a web process until it has loaded the program. The product may add five seconds to that.
Three rounds take about two minutes; whatever happens it ends, and tells what it has measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psutil

from bench.measure import Figure
from cli.web_forks import WAITS
from core.embedded import EmbeddedPostgres, EmbeddedValkey

#: Beyond what the killed one takes by itself.
_ADDED_SECONDS: Final = 5.0
_ROUNDS: Final = 3
#: No further round begins after so many seconds.
_WITHIN_SECONDS: Final = 180.0
#: What is not served after so long is not served.
_LONGEST_SECONDS: Final = 60.0
#: The one that waits is loaded anew after a pause, which is longer each time.
_PREPARED_SECONDS: Final = 90.0
_PAUSE: Final = 0.05
#: Of an engine that was killed: the pools and feeds of all processes have found the new one.
_CALM_SECONDS: Final = 3.0
#: A web process that lived for less is started again after a pause (`cli/web_processes.py`): none of these here is.
_SHORT_LIFE_SECONDS: Final = 11.0
_READY: Final = "Ctrl-C"
_WORKERS: Final = 2


@dataclass(frozen=True, slots=True)
class Recovered:
    """Seconds from a kill: what was killed takes so long by itself; a buyer's call is served again."""

    itself: float
    call: float


Kill = Callable[[], Awaitable[Recovered]]


async def recovery(rounds: int = _ROUNDS) -> list[Figure]:
    """The worst of some rounds of each."""
    async with _shop() as shop:
        kinds: dict[str, Kill] = {
            "all web processes that serve": lambda: _after_web(shop, _WORKERS),
            "PostgreSQL": lambda: _after_engine(shop, EmbeddedPostgres(shop.data), "GET", "/api/reservations"),
            "Valkey": lambda: _after_engine(shop, EmbeddedValkey(shop.data), "GET", "/api/events/demo/queue"),
            "all web processes and the one that waits": lambda: _after_web(shop, _WORKERS + 1),
        }
        return await measured(kinds, min(rounds, _ROUNDS))


async def measured(kinds: Mapping[str, Kill], rounds: int, *, within: float = _WITHIN_SECONDS) -> list[Figure]:
    """The worst round of each kind. No round but the first begins after `within` seconds; what was not served again in
    its time (TimeoutError), or where there was nothing to kill, is told as that, and not killed a second time.
    """
    taken: dict[str, list[Recovered]] = {name: [] for name in kinds}
    lost: set[str] = set()
    began = time.monotonic()
    for number in range(rounds):
        for name, kill in kinds.items():
            if name in lost or (number and time.monotonic() - began > within):
                continue
            try:
                one = await kill()
            except (TimeoutError, psutil.Error, LookupError) as error:
                lost.add(name)
                print(f"  {name} killed: no call is served ({error!r})", file=sys.stderr, flush=True)
            else:
                taken[name].append(one)
                print(f"  {name} killed: {one.call:.1f} s (itself {one.itself:.1f})", file=sys.stderr, flush=True)
    return [_figure(name, rounds_of, lost=name in lost) for name, rounds_of in taken.items()]


def _figure(name: str, taken: list[Recovered], *, lost: bool) -> Figure:
    worst = max(taken, key=lambda one: one.call - one.itself, default=Recovered(0.0, 0.0))
    detail = {"itself": [one.itself for one in taken], "call": [one.call for one in taken], "lost": lost}
    title = f"recovery: {name} killed" + (f", not served within {_LONGEST_SECONDS:.0f} s" if lost else "")
    value = _LONGEST_SECONDS if lost else worst.call
    return Figure(title, value, "s", worst.itself or None, "itself", detail=detail, most=worst.itself + _ADDED_SECONDS)


@dataclass
class _Shop:
    process: asyncio.subprocess.Process
    client: httpx.AsyncClient
    data: Path
    #: When its web processes began to serve, by the monotonic clock.
    began: float

    def web(self) -> list[psutil.Process]:
        """Those that serve, the oldest first; the one that waits is the last."""
        children = psutil.Process(self.process.pid).children()
        found = []
        for child in children:
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                if "cli.web_worker" in child.cmdline():
                    found.append(child)
        return sorted(found, key=lambda one: (one.name() == WAITS, one.create_time()))

    async def served(self, method: str, path: str) -> bool:
        try:
            return (await self.client.request(method, path)).is_success
        except httpx.HTTPError:
            return False

    async def until_one_waits(self) -> None:
        """All serve for a while, and one more has loaded the program. Raises TimeoutError."""
        async with asyncio.timeout(_PREPARED_SECONDS):
            while len(self.web()) <= _WORKERS or time.monotonic() - self.began < _SHORT_LIFE_SECONDS:
                await asyncio.sleep(_PAUSE)
            spent = -1.0
            while (now := sum(self.web()[-1].cpu_times()[:2])) != spent:  # it loads still
                spent = now
                await asyncio.sleep(10 * _PAUSE)


@contextlib.asynccontextmanager
async def _shop() -> AsyncIterator[_Shop]:
    """Raises RuntimeError when it does not start."""
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
        try:
            url = await _started(process)
            async with httpx.AsyncClient(base_url=url, timeout=20) as client:
                token = (await client.post("/api/visitors")).json()["token"]
                client.headers["Authorization"] = f"Bearer {token}"
                (await client.post("/api/events/demo/queue")).raise_for_status()
                yield _Shop(process, client, data, time.monotonic())
        finally:
            await _end(process)


async def _started(process: asyncio.subprocess.Process) -> str:
    """Its address."""
    assert process.stdout is not None
    url = ""
    async with asyncio.timeout(_PREPARED_SECONDS):
        while _READY not in (line := (await process.stdout.readline()).decode()):
            if not line:
                raise RuntimeError("onsale serve ended before it served")
            url = line.split()[-1] if "runs at" in line else url
    return url


async def _end(process: asyncio.subprocess.Process) -> None:
    """In order; killed when that takes too long."""
    for ask in (process.terminate, process.kill):
        with contextlib.suppress(ProcessLookupError):
            ask()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_SECONDS):
                await process.wait()
                return


async def _first(check: Callable[[], Awaitable[bool]], began: float) -> float:
    """Seconds from `began` until it is true. Raises TimeoutError."""
    async with asyncio.timeout(_LONGEST_SECONDS):
        while not await check():
            await asyncio.sleep(_PAUSE)
    return time.perf_counter() - began


def _raise(error: BaseException) -> float:
    raise error


async def _after_engine(shop: _Shop, engine: EmbeddedPostgres | EmbeddedValkey, method: str, path: str) -> Recovered:
    async def answers() -> bool:
        reply = await asyncio.to_thread(engine.reply)
        return reply is not None and engine.answers(reply)

    await asyncio.sleep(_CALM_SECONDS)
    pid = engine.pid()
    if pid is None:
        raise LookupError("no engine that could be killed")
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    began = time.perf_counter()
    async with asyncio.timeout(_LONGEST_SECONDS):
        while engine.pid() == pid and engine.alive():  # another one may be there by the next look
            await asyncio.sleep(0.001)
    # All of it: what is asked for in vain must not be asked for into the next kill.
    found = await asyncio.gather(
        _first(answers, began), _first(lambda: shop.served(method, path), began), return_exceptions=True
    )
    itself, call = (one if isinstance(one, float) else _raise(one) for one in found)
    return Recovered(itself, call)


async def _after_web(shop: _Shop, count: int) -> Recovered:
    """The first `count` are killed."""
    await shop.until_one_waits()
    loaded = await _loading()
    for process in shop.web()[:count]:
        process.kill()
    try:
        call = await _first(lambda: shop.served("GET", "/api/events/demo/holds"), time.perf_counter())
    finally:
        shop.began = time.monotonic()
    return Recovered(loaded, call)


async def _loading() -> float:
    """Seconds that a process takes to load the program; those after which nobody waits any longer, at most."""
    began = time.perf_counter()
    alone = await asyncio.create_subprocess_exec(sys.executable, "-c", "import web.server")
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_SECONDS):
                await alone.wait()
    finally:
        if alone.returncode is None:
            alone.kill()
            await alone.wait()
    return time.perf_counter() - began
