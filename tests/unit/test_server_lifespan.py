"""The ASGI lifespan of a server process: opened before the first request, closed after the last, plain words."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.errors import StartupError
from web.server import Server


class Lifespan:
    """An ASGI server's side of the protocol."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sent: list[dict[str, Any]] = []
        self.events: list[str] = []

    async def run(self) -> None:
        messages = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Any:
            message = next(messages)
            self.events.append(message)
            return {"type": message}

        async def send(message: Any) -> None:
            self.events.append(message["type"])
            self.sent.append(message)

        await self.server({"type": "lifespan"}, receive, send)


async def test_the_application_is_there_from_startup_to_shutdown() -> None:
    events: list[str] = []

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        lifespan.events.append("opened")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            events.append(scope["type"])

        yield app
        lifespan.events.append("closed")

    server = Server(opened)
    lifespan = Lifespan(server)
    await lifespan.run()
    assert lifespan.events == [
        "lifespan.startup",
        "opened",
        "lifespan.startup.complete",
        "lifespan.shutdown",
        "closed",
        "lifespan.shutdown.complete",
    ]
    await server({"type": "http"}, None, None)  # type: ignore[arg-type]
    assert events == ["http"]


async def test_what_an_operator_can_mend_is_one_line() -> None:
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        raise StartupError("Redis at redis://x cannot be reached: check REDIS_URL")
        yield

    lifespan = Lifespan(Server(opened))
    await lifespan.run()
    assert lifespan.sent == [
        {"type": "lifespan.startup.failed", "message": "Redis at redis://x cannot be reached: check REDIS_URL"}
    ]


async def test_a_fault_of_ours_is_not_called_an_operators() -> None:
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        raise RuntimeError("a bug")
        yield

    lifespan = Lifespan(Server(opened))
    with pytest.raises(RuntimeError):
        await lifespan.run()
    assert lifespan.sent == []


async def test_what_was_opened_is_closed_when_the_rest_fails() -> None:
    closed: list[str] = []

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        try:
            raise StartupError("no")
        finally:
            closed.append("store")
        yield

    await Lifespan(Server(opened)).run()
    assert closed == ["store"]
