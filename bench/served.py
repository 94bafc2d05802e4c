"""A served sale: `onsale serve` as operators start it, in processes of its own, driven by its public API only.

So a tree of another commit can be served beside this one (`python -m bench compare`).
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import psutil
from redis import Redis

from bench.bare import handshake
from bench.load import Call, Job, LoadGenerator, Result, Work, request
from bench.stores import UNHURRIED
from cli.load.event import CATEGORY, PRICE, generated_plan
from core.settings import Settings, variable_name

_PATIENCE: Final = 180.0
#: Connections of the load generator: as many as a full active limit has at work.
CONNECTIONS: Final = 50
HERE: Final = Path(__file__).resolve().parent.parent
WEB, POSTGRESQL, VALKEY = "web", "postgresql", "valkey"


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of processor time of each process of each part."""

    parts: Mapping[str, Mapping[int, float]]

    def since(self, before: Cpu) -> dict[str, float]:
        """Seconds of each part since then; of processes that have come, all of theirs."""
        return {
            name: sum(spent - before.parts[name].get(pid, 0.0) for pid, spent in processes.items())
            for name, processes in self.parts.items()
        }


class Served:
    """One `onsale serve`; `web` is its web process, where it has one."""

    def __init__(self, port: int, webs: Sequence[psutil.Process], settings: Settings) -> None:
        self.port = port
        self.web, self._webs = webs[0], webs
        self._settings = settings
        self.database_url, self.redis_url = settings.database_url, settings.redis_url
        token = settings.operator_token.get_secret_value()
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=60, headers={"Authorization": f"Bearer {token}"}
        )
        self._postmaster, self._valkey = _postgresql(settings), _valkey(settings.redis_url)

    @property
    def mails(self) -> Path:
        """Where it leaves its e-mails."""
        return self._settings.data / "mail"

    def cpu(self) -> Cpu:
        """What each part has had until now."""
        parts = {name: self.processes(name) for name in (WEB, POSTGRESQL, VALKEY)}
        return Cpu({name: {one.pid: seconds_of(one) for one in processes} for name, processes in parts.items()})

    def processes(self, part: str) -> Sequence[psutil.Process]:
        """Those of one part, now; none of a PostgreSQL that is elsewhere."""
        if part == POSTGRESQL:
            return [self._postmaster, *self._postmaster.children(recursive=True)] if self._postmaster else []
        return self._webs if part == WEB else [self._valkey]

    def operator(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def event(self, seats: int, *, active_limit: int = 100_000, max_seats: int = 100) -> str:
        """The slug of a new sale that is open."""
        slug = f"bench-{secrets.token_hex(5)}"
        made = {
            "slug": slug,
            "name": "Bench",
            "plan": orjson.loads(generated_plan(seats)),
            "prices": {CATEGORY: PRICE},
            "currency": "KRW",
            "active_limit": active_limit,
            "hold_seconds": 3600,
            "max_seats": max_seats,
            "open": True,
        }
        self.operator("POST", "/api/operator/events", made)
        return slug

    def visitors(self, count: int) -> list[str]:
        """Tokens of so many new visitors."""
        made = self.send([Call(request("POST", "/api/visitors"))] * count, keep=True)
        return [orjson.loads(body)["token"] for body in made.bodies]

    def inside(self, slug: str, count: int) -> list[str]:
        """Tokens of so many visitors that were let in."""
        tokens = self.visitors(count)
        self.send([self.call("POST", f"/api/events/{slug}/queue", token, {}) for token in tokens])
        return tokens

    def call(self, method: str, path: str, token: str, body: Any = None, **headers: str) -> Call:
        return Call(request(method, path, token, body, **headers))

    def channel(self, slug: str, token: str, asks: str = "") -> bytes:
        """The handshake of a live channel."""
        return handshake(f"/ws/events/{slug}{asks}", token)

    def send(self, works: Sequence[Work], *, keep: bool = False, connections: int = CONNECTIONS) -> Result:
        """What is not measured. Raises RuntimeError when one of them was refused."""
        with LoadGenerator(Job(self.port, works, connections, keep=keep)) as load:
            result = load.run()
        if any(status >= 300 for status in result.outcomes):
            raise RuntimeError(f"refused: {dict(result.outcomes)}")
        return result


def seconds_of(process: psutil.Process) -> float:
    """Processor time of all threads of a process, to the nanosecond where the kernel tells (clock ticks are 10 ms)."""
    try:
        tasks = Path(f"/proc/{process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except (OSError, ValueError):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            return float(times.user + times.system)
        return 0.0


def _postgresql(settings: Settings) -> psutil.Process | None:
    """The embedded server; None for one that is elsewhere."""
    for found in settings.data.rglob("postmaster.pid"):
        return psutil.Process(int(found.read_text().split()[0]))
    return None


def _valkey(url: str) -> psutil.Process:
    with Redis.from_url(url) as redis:
        return psutil.Process(int(redis.info("server")["process_id"]))


@contextlib.contextmanager
def served(
    settings: Settings, tree: Path = HERE, python: Path = Path(sys.executable), *, changes: Mapping[str, str]
) -> Iterator[Served]:
    """The program of `tree`, run by `python`, on the stores that `settings` name, with these settings besides; it ends
    with the block.
    """
    secret, token = settings.secret_key.get_secret_value(), settings.operator_token.get_secret_value()
    ours = {
        "database_url": settings.database_url,
        "redis_url": settings.redis_url,
        "data": str(settings.data),
        "secret_key": secret,
        "operator_token": token,
        "rate_limits": "off",
        "port": "0",
        "channels_per_process": "60000",
        "standby": "off",  # a process that loads beside what is measured
        **{name: str(seconds) for name, seconds in UNHURRIED.items()},
        **changes,
    }
    known = {variable_name(name) for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in known}
    environment = {**kept, **{variable_name(name): value for name, value in ours.items()}}
    with tempfile.TemporaryDirectory(prefix="onsale-serve-") as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        with output.open("wb") as out, errors.open("wb") as err:
            server = subprocess.Popen(
                [python, "-m", "cli", "serve"],
                env=environment,
                cwd=tree,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        try:
            until = time.monotonic() + _PATIENCE
            while not (found := re.search(r"runs at http://127\.0\.0\.1:(\d+)", output.read_text())):
                if server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"the server did not start: {errors.read_text()[-2000:]}")
                time.sleep(0.1)
            webs = [one for one in psutil.Process(server.pid).children() if "cli.web_worker" in one.cmdline()]
            ready = Served(int(found[1]), webs, settings)
            try:
                yield ready
            finally:
                ready.http.close()
        finally:
            server.terminate()
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
