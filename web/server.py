"""What uvicorn runs: `uvicorn --factory web.server:create`. Opens everything at the start, drains at the end.

The application needs the runtime, and the runtime an event loop, so the application is made in the ASGI lifespan.
A `StartupError` is one line on the log and an exit code, never a trace.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Final

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from core.data_folder import data_folder
from core.embedded import Engines, engines
from core.errors import StartupError
from core.process.ending import end_process
from core.runtime import Runtime, open_runtime
from core.runtime.traces_http import opened
from core.secrets import resolve_secrets
from core.settings import Settings
from realtime.composition import open_live
from realtime.live import Live
from web.app import create_app
from web.paysim import SimulatorStore
from web.traced import Traced

log = structlog.get_logger(__name__)

#: What is under way when the server stops (payments above all) is given this long to end, in seconds. A payment that
#: does not is finished by another process: its row is the durable job.
DRAIN_SECONDS: Final = 15.0

Opened = AbstractAsyncContextManager[ASGIApp]


class Server:
    """An ASGI application that is there from startup to shutdown. `open_app` opens what it needs and closes it."""

    def __init__(self, open_app: Callable[[], Opened]) -> None:
        self._open_app = open_app
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A coroutine, by which uvicorn knows an ASGI 3 application where nobody has told it (`socket_options` does).
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        assert self._app is not None, "the server got a request before it was started"  # noqa: S101
        await self._app(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """The ASGI lifespan protocol, with our own errors told in one line."""
        await receive()
        async with contextlib.AsyncExitStack() as stack:
            try:
                self._app = await stack.enter_async_context(self._open_app())
            except StartupError as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def create() -> ASGIApp:
    """The factory that uvicorn calls in each server process."""
    return Server(open_application)


@contextlib.asynccontextmanager
async def open_application() -> AsyncIterator[ASGIApp]:
    """Settings, engines, runtime, live channel and jobs of one server process. Raises StartupError."""
    settings = resolve_secrets(Settings.load())
    async with _engines(settings) as started, open_runtime(settings, started, end_process=end_process) as runtime:
        try:
            await runtime.start_jobs()
            async with _live(runtime) as live:
                with _simulator(settings) as simulator:
                    app = create_app(runtime, live, simulator)
                    spans = opened()
                    ready = runtime.supervisor.run_forever("web.plans", app.state.parts.plans.keep_ready)
                    try:
                        yield app if spans is None else Traced(app, spans)
                    finally:
                        await ready.end()
        finally:
            # Browsers are told to come back before this; then no new work begins, and what is under way may end.
            left = await runtime.stop_jobs(DRAIN_SECONDS)
            if left:
                log.warning("tasks cut off", tasks=left)


@contextlib.asynccontextmanager
async def _live(runtime: Runtime) -> AsyncIterator[Live]:
    live = open_live(runtime)
    await live.start()
    try:
        yield live
    finally:
        await live.stop()


@contextlib.contextmanager
def _simulator(settings: Settings) -> Iterator[SimulatorStore | None]:
    """The payment simulator's books, when no real provider is configured."""
    if not settings.simulated_payment:
        yield None
        return
    store = SimulatorStore(data_folder(settings.data) / "paysim.sqlite3")
    try:
        yield store
    finally:
        store.close()


@contextlib.asynccontextmanager
async def _engines(settings: Settings) -> AsyncIterator[Engines]:
    """The engines, started and stopped in a thread: other connections' events must not wait for PostgreSQL."""
    with contextlib.ExitStack() as stack:
        started = await asyncio.to_thread(stack.enter_context, engines(settings))
        closing = stack.pop_all()
        try:
            yield started
        finally:
            await asyncio.to_thread(closing.close)
