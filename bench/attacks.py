"""`make bench-attacks`: one program with one address attacks a served sale; what a neighbour's hold takes meanwhile.

The attacker is a process of its own at nice 19, on 127.0.0.2; the neighbour is on 127.0.0.3. The table goes between the
two marks of docs/security.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import httpx

from core.process.tasks import watched

ATTACKER, NEIGHBOUR = "127.0.0.2", "127.0.0.3"
SECONDS: Final = float(os.environ.get("ATTACK_SECONDS", "10"))
PAGE: Final = Path("docs/security.md")
_MARKS: Final = re.compile(r"(<!-- attacks -->\n).*(<!-- /attacks -->)", re.DOTALL)
_GET: Final = b"GET / HTTP/1.1\r\nHost: hall\r\n\r\n"


async def _send(port: int, first: bytes, then: bytes = b"", pause: float = 0.5) -> None:
    """One connection after the other, each for as long as the server lets it."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(ATTACKER, 0))
            try:
                writer.write(first)
                while not reader.at_eof() and not writer.transport.is_closing():
                    writer.write(then)
                    await writer.drain()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await reader.read(65_536)
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.01)


async def _pings(port: int) -> None:
    token = httpx.post(f"http://127.0.0.1:{port}/api/visitors").json()["token"]
    handshake = (
        f"GET /ws/events/demo HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()
    await _send(port, handshake, b"\x89\x81\x00\x00\x00\x00x" * 5_000, 0.01)


#: Name -> (connections at once, what each does, the bound that it meets).
ATTACKS: Final[dict[str, tuple[int, Callable[[int], Coroutine[Any, Any, None]], str]]] = {
    "connections that say nothing": (3_000, lambda port: _send(port, b""), "200 without a request, 10 s each"),
    "heads byte by byte": (1_000, lambda port: _send(port, b"GET / HTTP/1.1\r\nX: ", b"x"), "10 s for a head"),
    "heads without end": (
        50,
        lambda port: _send(port, b"GET / HTTP/1.1\r\n", b"x: y\r\n" * 2_000, 0.01),
        "100 headers, 64 KB",
    ),
    "requests sent ahead": (50, lambda port: _send(port, _GET * 500, b"", 0.1), "32 at once"),
    "no HTTP": (50, lambda port: _send(port, os.urandom(1_000)), "400, closed, no line in the log"),
    "ping floods": (20, _pings, "60 control frames a minute"),
    "readers of /metrics": (
        32,
        lambda port: _send(port, b"", b"GET /metrics HTTP/1.1\r\nHost: hall\r\n\r\n", 1),
        "made once a second",
    ),
}


async def attack(name: str, port: int) -> None:
    count, act, _ = ATTACKS[name]
    tasks = [watched("attack", act(port)) for _ in range(count)]
    await asyncio.sleep(SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def holds(port: int, seconds: float) -> list[float]:
    """What a hold took, in ms, one after the other; a call that failed counts as the time until it did."""
    transport = httpx.AsyncHTTPTransport(local_address=NEIGHBOUR)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        token = (await client.post("/api/visitors")).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        (await client.post("/api/events/demo/queue")).raise_for_status()
        taken, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end:
            began = time.perf_counter()
            await client.post("/api/events/demo/holds", json={"seats": [0]})
            taken.append((time.perf_counter() - began) * 1000)
            await client.delete("/api/events/demo/holds")
            await asyncio.sleep(0.02)
        await client.delete("/api/events/demo/queue")
    return taken


def row(name: str, bound: str, taken: list[float]) -> str:
    worst = sorted(taken)[min(len(taken) - 1, round(0.99 * len(taken)))]
    return f"| {name} | {bound} | {statistics.median(taken):.1f} / {worst:.1f} |"


def main() -> None:
    if len(sys.argv) == 3:
        asyncio.run(attack(sys.argv[1], int(sys.argv[2])))
        return
    port = 18_431
    with tempfile.TemporaryDirectory() as data, open(Path(data) / "log", "w") as log:
        environment = {
            **os.environ,
            "PORT": str(port),
            "ONSALE_DATA": f"{data}/onsale",
            "ONSALE_FORWARDED_ALLOW_IPS": "192.0.2.1",
            "ONSALE_CALLS_PER_MINUTE": "100000",
        }
        server = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", "--demo"], env=environment, stdout=log, stderr=log
        )
        try:
            _until_ready(port)
            lines = [row("none", "", asyncio.run(holds(port, SECONDS)))]
            for name, (count, _, bound) in ATTACKS.items():
                attacker = subprocess.Popen(
                    ["nice", "-n", "19", sys.executable, "-m", "bench.attacks", name, str(port)], env=environment
                )
                taken = asyncio.run(holds(port, SECONDS))
                attacker.wait(SECONDS + 60)
                lines.append(row(f"{name} ({count:,} at once)", bound, taken))
                print(lines[-1], flush=True)
        finally:
            server.terminate()
            server.wait(60)
    table = "\n".join(["| attack | bound | a neighbour's hold, p50 / p99 ms |", "|---|---|---|", *lines])
    print(table)
    if "--write" in sys.argv:
        PAGE.write_text(_MARKS.sub(lambda found: f"{found[1]}{table}\n{found[2]}", PAGE.read_text()))


def _until_ready(port: int) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/actuator/health/readiness").status_code == 200:
                return
        time.sleep(0.5)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
