"""`make bench-attacks`: one program with one address attacks a served sale; what a neighbour's hold takes meanwhile.

The attacker is a process of its own at nice 19, on 127.0.0.2; the neighbour is on 127.0.0.3. The table goes between the
two marks of docs/security.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from core.process.watched_tasks import watched
from web.connection_limits import use_all_files

ATTACKER, NEIGHBOUR = "127.0.0.2", "127.0.0.3"
SECONDS: Final = float(os.environ.get("ATTACK_SECONDS", "10"))
PAGE: Final = Path("docs/security.md")
#: What an attacker says once its first connections are there.
_BEGUN: Final = "attacking"
#: An attacker whose bench is gone ends by itself.
_LONGEST: Final = 600.0
_MARKS: Final = re.compile(r"(<!-- attacks -->\n).*(<!-- /attacks -->)", re.DOTALL)
_GET: Final = b"GET / HTTP/1.1\r\nHost: hall\r\n\r\n"

Bytes = Callable[[], bytes]


async def _send(port: int, first: bytes, then: Bytes = bytes, pause: float = 0.5) -> None:
    """One connection after the other, each for as long as the server lets it."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(ATTACKER, 0))
            try:
                writer.write(first)
                while not reader.at_eof() and not writer.transport.is_closing():
                    writer.write(then())
                    await writer.drain()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await reader.read(65_536)
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.01)


def _handshake(port: int, token: str = "") -> bytes:
    return (
        f"GET /ws/events/demo HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"{f'Authorization: Bearer {token}' if token else 'X: y'}\r\n\r\n"
    ).encode()


async def _channel(port: int, frames: bytes) -> None:
    """A channel with an identity that sends these frames without end."""
    async with httpx.AsyncClient(trust_env=False) as client:
        token = (await client.post(f"http://127.0.0.1:{port}/api/visitors")).json()["token"]
    await _send(port, _handshake(port, token), lambda: frames, 0.01)


def _call(path: str, token: str = "") -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: hall\r\n{f'Authorization: Bearer {token}' if token else 'X: y'}\r\n\r\n".encode()
    )


_BODY: Final = (
    b"POST /api/events/demo/queue HTTP/1.1\r\nHost: hall\r\nContent-Type: application/json\r\n"
    b"Content-Length: 9000\r\n\r\n"
)

#: Name -> (connections at once, what each does, the bound that it meets).
ATTACKS: Final[dict[str, tuple[int, Callable[[int], Coroutine[Any, Any, None]], str]]] = {
    "connections that say nothing": (3_000, lambda port: _send(port, b""), "200 without a request, 10 s each"),
    "heads byte by byte": (1_000, lambda port: _send(port, b"GET / HTTP/1.1\r\nX: ", lambda: b"x"), "10 s for a head"),
    "heads without end": (
        50,
        lambda port: _send(port, b"GET / HTTP/1.1\r\n", lambda: b"x: y\r\n" * 2_000, 0.01),
        "100 headers, 64 KB",
    ),
    "bodies byte by byte": (1_000, lambda port: _send(port, _BODY, lambda: b"x"), "10 s and a slow line's time"),
    "requests sent ahead": (50, lambda port: _send(port, _GET * 500, pause=0.1), "32 at once"),
    "no HTTP": (50, lambda port: _send(port, secrets.token_bytes(1_000)), "400, closed, no line in the log"),
    "wrong visitor tokens": (
        32,
        lambda port: _send(port, b"", lambda: _call("/api/reservations", secrets.token_urlsafe(70)), 1),
        "100 characters are looked at, none remembered",
    ),
    "calls that are refused": (
        32,
        lambda port: _send(port, b"", lambda: _call("/api/events/nowhere"), 1),
        "30 lines in the log in ten seconds",
    ),
    "channels without an identity": (32, lambda port: _send(port, _handshake(port)), "401 before the handshake"),
    "ping floods": (
        20,
        lambda port: _channel(port, b"\x89\x81\x00\x00\x00\x00x" * 5_000),
        "60 control frames a minute",
    ),
    "messages in pieces": (
        20,
        lambda port: _channel(port, b"\x01\x81\x00\x00\x00\x00x" + b"\x00\x81\x00\x00\x00\x00x" * 5_000),
        "16 pieces of a message",
    ),
    "readers of /metrics": (32, lambda port: _send(port, b"", lambda: _call("/metrics"), 1), "made once a second"),
}


async def attack(name: str, port: int) -> None:
    """Until this process is ended."""
    use_all_files()
    count, act, _ = ATTACKS[name]
    tasks = [watched("attack", act(port)) for _ in range(count)]
    await asyncio.sleep(0.5)
    print(_BEGUN, flush=True)
    await asyncio.sleep(_LONGEST)
    for task in tasks:
        task.cancel()


@contextlib.contextmanager
def attacked(name: str, port: int, environment: dict[str, str]) -> Iterator[None]:
    command = ["nice", "-n", "19", sys.executable, "-m", "bench.attacks", name, str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as attacker:
        try:
            assert attacker.stdout is not None
            if attacker.stdout.readline().strip() != _BEGUN:
                raise SystemExit(f"the attacker did not begin: {name}")
            yield
            if attacker.poll() is not None:
                raise SystemExit(f"the attacker ended: {name}")
        finally:
            attacker.kill()


@dataclass
class Holds:
    """What a neighbour's holds took, in ms, one after the other; `failed`: of these, those that held nothing."""

    taken: list[float] = field(default_factory=list)
    failed: int = 0

    def row(self, name: str, bound: str) -> str:
        worst = sorted(self.taken)[min(len(self.taken) - 1, round(0.99 * len(self.taken)))]
        failed = f", {self.failed} of {len(self.taken)} failed" if self.failed else ""
        return f"| {name} | {bound} | {statistics.median(self.taken):.1f} / {worst:.1f}{failed} |"


async def holds(port: int, seconds: float) -> Holds:
    """A call that failed counts as the time until it did."""
    transport = httpx.AsyncHTTPTransport(local_address=NEIGHBOUR)
    base = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(transport=transport, base_url=base, timeout=30, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {(await client.post('/api/visitors')).json()['token']}"
        (await client.post("/api/events/demo/queue")).raise_for_status()
        made, end = Holds(), time.perf_counter() + seconds
        while time.perf_counter() < end:
            began, held = time.perf_counter(), False
            with contextlib.suppress(httpx.HTTPError):
                held = (await client.post("/api/events/demo/holds", json={"seats": [0]})).status_code == 201
            made.taken.append((time.perf_counter() - began) * 1000)
            made.failed += not held
            with contextlib.suppress(httpx.HTTPError):
                await client.delete("/api/events/demo/holds")
            await asyncio.sleep(0.02)
        await client.delete("/api/events/demo/queue")
    return made


def main() -> None:
    if len(sys.argv) == 3:
        asyncio.run(attack(sys.argv[1], int(sys.argv[2])))
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as data, open(Path(data) / "log", "w") as log:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ONSALE_")},
            **dict.fromkeys(("DATABASE_URL", "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS", "SMTP_URL"), ""),
            "PORT": str(port),
            "WORKERS": "1",
            "ONSALE_DATA": f"{data}/onsale",
            # The attacker is nobody's proxy.
            "ONSALE_FORWARDED_ALLOW_IPS": "192.0.2.1",
            "ONSALE_CALLS_PER_MINUTE": "100000",
            "ONSALE_STANDBY": "off",
        }
        server = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", "--demo"], env=environment, stdout=log, stderr=log
        )
        try:
            _until_ready(port)
            lines = [asyncio.run(holds(port, SECONDS)).row("none", "")]
            print(lines[0], flush=True)
            for name, (count, _, bound) in ATTACKS.items():
                with attacked(name, port, environment):
                    made = asyncio.run(holds(port, SECONDS))
                lines.append(made.row(f"{name} ({count:,} at once)", bound))
                print(lines[-1], flush=True)
        finally:
            server.terminate()
            server.wait(60)
    table = "\n".join(["| attack | bound | a neighbour's hold, p50 / p99 ms |", "|---|---|---|", *lines])
    if "--write" in sys.argv:
        PAGE.write_text(_MARKS.sub(lambda found: f"{found[1]}{table}\n{found[2]}", PAGE.read_text()))


def _until_ready(port: int) -> None:
    end = time.monotonic() + 120
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < end:
            with contextlib.suppress(httpx.HTTPError):
                if client.get(f"http://127.0.0.1:{port}/actuator/health/readiness").status_code == 200:
                    return
            time.sleep(0.5)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
