"""What cannot be avoided: a Starlette that answers at once, a channel that says what it heard, and bare connections.

    GET, POST /            a short answer
    POST /say              what was said goes to every open channel, at once
    /ws                    an echo; /closing: the same, which turns the first few away
    /v1/payments/confirm   a payment provider that approves at once, for the served sale

Served as the product is: uvicorn with httptools and uvloop, without logs. `bare()` starts it in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import orjson
import psutil
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

_ANSWER: Final = b'{"seats":[7],"fence":1732590000000000,"until":"2026-11-26T04:00:00.000Z","extensions_left":1}'
_READY: Final = b"ready\n"
_JSON: Final = "application/json"


def application() -> Starlette:
    channels: set[WebSocket] = set()

    async def answer(request: Request) -> Response:
        await request.body()
        return Response(_ANSWER, media_type=_JSON)

    async def say(request: Request) -> Response:
        text = (await request.body()).decode()
        await asyncio.gather(*(channel.send_text(text) for channel in list(channels)))
        return Response(b"{}", media_type=_JSON)

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        channels.add(websocket)
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await websocket.send_text(await websocket.receive_text())
        channels.discard(websocket)

    refused: set[str] = set()

    async def closing(websocket: WebSocket) -> None:
        """The first four are told to come back."""
        await websocket.accept()
        if len(refused) < 4:
            refused.add(f"{websocket.client}")
            await websocket.close(4004)
            return
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await websocket.send_text(await websocket.receive_text())

    async def confirm(request: Request) -> Response:
        asked = orjson.loads(await request.body())
        approved = {
            "paymentKey": asked["paymentKey"],
            "orderId": asked["orderId"],
            "status": "DONE",
            "currency": "KRW",
            "method": "card",
            "totalAmount": asked["amount"],
            "balanceAmount": asked["amount"],
            "approvedAt": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return Response(orjson.dumps(approved), media_type=_JSON)

    async def listed(request: Request) -> Response:
        return Response(b"[]", media_type=_JSON)

    return Starlette(
        routes=[
            Route("/", answer, methods=["GET", "POST"]),
            Route("/say", say, methods=["POST"]),
            Route("/v1/payments/confirm", confirm, methods=["POST"]),
            Route("/v1/transactions", listed),
            WebSocketRoute("/ws", echo),
            WebSocketRoute("/closing", closing),
        ]
    )


def main() -> None:
    """`http LISTEN`, or `memory LISTEN`: connections that do nothing; the descriptor of a listening socket."""
    listening = socket.socket(fileno=int(sys.argv[2]))
    if sys.argv[1] == "memory":
        import uvloop

        uvloop.run(_keep(listening))
        return
    config = uvicorn.Config(
        application(),
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        loop="uvloop",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    _Server(config).run(sockets=[listening])


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _ready()


async def _keep(listening: socket.socket) -> None:
    """A bare asyncio protocol for each connection."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, sock=listening, backlog=4096)
    _ready()
    await server.serve_forever()


def _ready() -> None:
    sys.stdout.buffer.write(_READY)
    sys.stdout.buffer.flush()


class Bare:
    """The process, or several that share a port, seen from the one that measures."""

    def __init__(self, port: int, processes: Sequence[psutil.Process]) -> None:
        self.port = port
        self.processes = processes

    @property
    def process(self) -> psutil.Process:
        """The first."""
        return self.processes[0]

    def call(self, body: bytes = b"") -> bytes:
        """A request like those of a buyer's browser, as long as they are."""
        method = b"POST" if body else b"GET"
        return _request(method, b"/", body)

    def say(self, body: bytes) -> bytes:
        return _request(b"POST", b"/say", body)

    def provider(self) -> dict[str, str]:
        """Settings of a sale whose payment provider this is."""
        return {
            "payment": "toss",
            "toss_url": f"http://127.0.0.1:{self.port}",
            "toss_client_key": "test_ck_bench",
            "toss_secret": "test_sk_bench",
        }

    def handshake(self) -> bytes:
        return handshake("/ws", "t" * 68)


def _request(method: bytes, path: bytes, body: bytes) -> bytes:
    head = (
        b"%b %b HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %b\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n"
    )
    return head % (method, path, b"t" * 68, len(body)) + body


def handshake(path: str, token: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()


@contextlib.contextmanager
def bare(kind: str = "http", *, count: int = 1) -> Iterator[Bare]:
    """`kind` as `main` takes it; `count` processes. They end with the block."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(4096)
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "bench.bare", kind, str(listening.fileno())],
                pass_fds=[listening.fileno()],
                stdout=subprocess.PIPE,
            )
            for _ in range(count)
        ]
        port = listening.getsockname()[1]
    try:
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline() != _READY:
                raise RuntimeError("the bare server did not start")
        yield Bare(port, [psutil.Process(process.pid) for process in processes])
    finally:
        for process in processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


if __name__ == "__main__":
    main()
