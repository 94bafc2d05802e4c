"""A real server for tests of the live channel: uvicorn with our WebSocket protocol, and real `websockets` clients."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Self

import orjson
import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from core.runtime import Runtime
from core.waiting_room.composition import visit_times
from realtime.composition import channel_limits, open_live
from realtime.live import Live
from tests.channel_schema import check_news
from tests.waits import PATIENCE as PATIENCE
from web.app import create_app
from web.visitors import Visitors
from web.ws_protocol import socket_options


class LiveServer:
    """One server with its live channel, on a port of its own; `runtime`, `live`, `stop` only of one in this process."""

    runtime: Runtime
    live: Live
    stop: Callable[[], Coroutine[Any, Any, None]]

    def __init__(self, port: int, visitors: Visitors) -> None:
        self.port = port
        self._visitors = visitors

    def visitor(self) -> str:
        return self._visitors.new()

    def token(self, visitor: str) -> str:
        return self._visitors.token(visitor)

    @contextlib.asynccontextmanager
    async def browser(
        self, slug: str, visitor: str | None = None, *, asks: str = "", **options: Any
    ) -> AsyncIterator[Browser]:
        """An open channel, with the bearer token of `visitor` (a new one when None). `asks`: `?join=now`, say."""
        visitor = visitor or self.visitor()
        headers = {"Authorization": f"Bearer {self.token(visitor)}"}
        url = f"ws://127.0.0.1:{self.port}/ws/events/{slug}{asks}"
        options = {"open_timeout": PATIENCE, "ping_timeout": PATIENCE} | options
        async with connect(url, additional_headers=headers, proxy=None, **options) as connection:
            yield Browser(connection, visitor)


class BoardCopy:
    """The board as a page keeps it, by the rules of `realtime/wire.py`; every message is checked on the way."""

    def __init__(self) -> None:
        self.epoch, self.version = -1, -1
        self.states = bytearray()
        self.boards = 0

    def take(self, payload: str | bytes) -> dict[str, Any]:
        message: dict[str, Any] = orjson.loads(payload)
        check_news(message)
        if message["type"] == "board":
            self.epoch, self.version = message["epoch"], message["version"]
            self.states = bytearray(base64.b64decode(message["states"]))
            self.boards += 1
        elif message["type"] == "seats" and self.boards:
            self._apply(message["epoch"], message["version"], message["changes"])
        return message

    def _apply(self, epoch: int, version: int, changes: list[list[int]]) -> None:
        if (epoch, version) <= (self.epoch, self.version):
            return
        assert epoch == self.epoch, "changes of a board that never came"
        assert version - len(changes) == self.version, f"a gap between {self.version} and {version}: {changes}"
        for ordinal, state in changes:
            self.states[ordinal] = state
        self.version = version


class Browser(BoardCopy):
    """What a page does: takes the messages in order and keeps the board."""

    def __init__(self, connection: ClientConnection, visitor: str) -> None:
        super().__init__()
        self.connection = connection
        self.visitor = visitor
        self.seen: list[dict[str, Any]] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.connection.send(orjson.dumps({"type": kind, **fields}).decode())

    async def next(self, patience: float = PATIENCE) -> dict[str, Any]:
        """The next message, with the board kept."""
        async with asyncio.timeout(patience):
            message = self.take(await self.connection.recv())
        self.seen.append(message)
        return message

    async def until(
        self, kind: str, condition: Callable[[dict[str, Any]], bool] = lambda message: True, patience: float = PATIENCE
    ) -> dict[str, Any]:
        """The next message of this kind for which the condition holds."""
        try:
            async with asyncio.timeout(patience):
                while True:
                    message = await self.next(patience)
                    if message["type"] == kind and condition(message):
                        return message
        except TimeoutError:
            raise AssertionError(f"no {kind} came; the last messages: {self.seen[-5:]}") from None

    async def until_seat(self, ordinal: int, state: int, patience: float = PATIENCE) -> None:
        """Until the board shows it."""
        try:
            async with asyncio.timeout(patience):
                while not self.states or self.states[ordinal] != state:
                    await self.next(patience)
        except TimeoutError:
            raise AssertionError(f"seat {ordinal} is not {state}: {self.states[:20].hex()}, {self.seen[-5:]}") from None

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Sends a command with an id and waits for its answer."""
        id_ = f"c{len(self.seen)}"
        await self.send(kind, id=id_, **fields)
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await self.next()
                if message["type"] in ("held", "refused", "problem") and message.get("id") == id_:
                    return message

    async def entered(self, **fields: Any) -> Self:
        """Joins and waits to be let in with a board."""
        await self.until("welcome")
        await self.send("join", **fields)
        await self.until("admitted")
        await self.until("board")
        return self

    async def close_code(self, patience: float = PATIENCE) -> int | None:
        """Reads to the end."""
        async with asyncio.timeout(patience):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.next(patience)
            await self.connection.wait_closed()
        return self.connection.close_code

    async def silence(self, seconds: float, *kinds: str) -> None:
        """Fails when one of these kinds comes within this time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    message = await self.next(seconds + 1)
                    assert message["type"] not in kinds, message


@contextlib.asynccontextmanager
async def live_server(runtime: Runtime, **options: Any) -> AsyncIterator[LiveServer]:
    """Serves `runtime` until the block ends, then as an orderly server stops. `options` go to uvicorn."""
    live = open_live(runtime)
    await live.start()
    app = create_app(runtime, live)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    limits = channel_limits(runtime.settings)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        **(socket_options(visit_times(runtime.settings), limits.messages_per_minute, limits.goodbye_seconds) | options),
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listening]))

    async def stop() -> None:
        server.should_exit = True
        await serving

    try:
        async with asyncio.timeout(PATIENCE):
            while not server.started:
                await asyncio.sleep(0.01)
        started = LiveServer(listening.getsockname()[1], Visitors(runtime.secret, runtime.clock))
        started.runtime, started.live, started.stop = runtime, live, stop
        yield started
    finally:
        await stop()
        await live.stop()
        listening.close()


@pytest.fixture
async def server(runtime: Runtime) -> AsyncIterator[LiveServer]:
    """A package of tests imports it into its `conftest.py`."""
    async with live_server(runtime) as started:
        yield started


@contextlib.asynccontextmanager
async def sweeping(runtime: Runtime, slug: str, every: float = 0.1) -> AsyncIterator[None]:
    """Sweeps one event, as the job of a server process does."""

    async def run() -> None:
        while True:
            await runtime.waiting_room.sweep(await runtime.events.get(slug))
            await asyncio.sleep(every)

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
