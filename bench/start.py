"""How soon a shop is there, and how much memory all of its processes share out among themselves.

help      `onsale --help`, until it has ended; the limit is a Python that does nothing
serve     `onsale serve --demo` in a data folder that has been used before, until its health answers: what `make run`
          does once the program is installed; the limit is a Python that loads the same program
memory    of all its processes, PostgreSQL and Valkey among them, once it has nothing to do: proportional set size, in
          which what two processes share is counted once. As it is set, with the web process that waits, and without
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import httpx
import psutil

from bench.measure import Effort, Figure
from core.embedded import EmbeddedPostgres, EmbeddedValkey
from core.settings import Settings, variable_name

T = TypeVar("T")

_PATIENCE: Final = 120.0
#: Between two looks at what is timed, and at what is only waited for: looking at processes costs them their time.
_LOOK_SECONDS: Final = 0.01
_SELDOM_SECONDS: Final = 0.2
#: Between two looks at the memory, and how much it may grow between them when it is settled, in MB.
SETTLE_SECONDS = 3.0
_SETTLED_MB: Final = 1.0
_ADDRESS: Final = re.compile(r"runs at (http://\S+)")


@dataclass(frozen=True, slots=True)
class Started:
    """`healthy`: seconds until health answered; `memory`: MB of all processes, 0.0 where it was not asked for."""

    healthy: float
    memory: float


async def start(effort: Effort) -> list[Figure]:
    return await asyncio.to_thread(_start, effort.rounds)


def _start(rounds: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="onsale-start-") as folder:
        data = Path(folder)
        _served(data, ONSALE_STANDBY="off")  # the first one makes the data folder
        # What a process has is no matter of rounds.
        taken = [_served(data, settle=number == 0) for number in range(rounds)]
        alone = _served(data, settle=True, ONSALE_STANDBY="off")
    help_, nothing = _ended(["-m", "cli", "--help"], rounds), _ended(["-c", ""], rounds)
    loaded = _ended(["-c", "import web.server"], rounds)
    healthy = min(one.healthy for one in taken)
    return [
        Figure("`onsale --help`", help_, "s", nothing, "Python that does nothing", most=0.4),
        Figure("second `make run`, until it is healthy", healthy, "s", loaded, "loading the program", most=2.5),
        Figure("memory of all processes", taken[0].memory, "MB", most=150.0),
        Figure("memory of all processes, no web process waits", alone.memory, "MB", most=150.0),
    ]


def _ended(arguments: Sequence[str], rounds: int) -> float:
    """Seconds of a Python until it has ended, in the best round; the first one compiles what is not compiled yet."""
    took = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], env=_environment(), check=True, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - began)
    return min(took[1:])


def _environment(**settings: str) -> dict[str, str]:
    known = {variable_name(name) for name in Settings.model_fields}
    return {**{name: value for name, value in os.environ.items() if name not in known}, **settings}


def _served(data: Path, *, settle: bool = False, **settings: str) -> Started:
    """One `onsale serve --demo` on this data folder, from its start to its end."""
    ours = {"ONSALE_DATA": str(data / "data"), "PORT": "0", "WORKERS": "1", "ONSALE_LOG_LEVEL": "error", **settings}
    began = time.perf_counter()
    with _serving(_environment(**ours), data) as (server, output):
        url = _until(lambda: _ADDRESS.search(output.read_text()), server)[1]
        _until(lambda: _healthy(url), server)
        healthy = time.perf_counter() - began
        if not settle:
            return Started(healthy, 0.0)
        waiting = 0 if settings.get("ONSALE_STANDBY") == "off" else 1
        _until(lambda: len(_webs(server.pid)) > waiting, server, _SELDOM_SECONDS)
        return Started(healthy, _settled(server.pid, data / "data"))


@contextlib.contextmanager
def _serving(environment: dict[str, str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    output = folder / "output"
    with output.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", "--demo"],
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield server, output
    finally:
        server.terminate()
        try:
            server.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _until(true: Callable[[], T | None], server: subprocess.Popen[bytes], pause: float = _LOOK_SECONDS) -> T:
    """What `true` says once it is, looked at after each `pause`. Raises RuntimeError when that does not come."""
    until = time.monotonic() + _PATIENCE
    while not (found := true()):
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the shop did not come up")
        time.sleep(pause)
    return found


def _healthy(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/actuator/health/readiness", timeout=_PATIENCE).is_success
    return False


def _webs(server: int) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(server).children():
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            if "cli.web_worker" in child.cmdline():
                found.append(child)
    return found


def _settled(server: int, data: Path) -> float:
    """MB once they have stopped growing."""
    until, seen = time.monotonic() + _PATIENCE, 0.0
    while time.monotonic() < until:
        now = _shared_out(server, data)
        if abs(now - seen) < _SETTLED_MB:
            return now
        seen = now
        time.sleep(SETTLE_SECONDS)
    return seen


def _shared_out(server: int, data: Path) -> float:
    """Proportional set size of the server, of what it has started, and of its engines, in MB."""
    roots = (server, EmbeddedPostgres(data).pid(), EmbeddedValkey(data).pid())
    processes = {root for root in roots if root is not None}
    for root in list(processes):
        with contextlib.suppress(psutil.Error):
            processes |= {child.pid for child in psutil.Process(root).children(recursive=True)}
    total = 0.0
    for pid in processes:
        with contextlib.suppress(psutil.Error):
            total += psutil.Process(pid).memory_full_info().pss / 1e6
    return total
