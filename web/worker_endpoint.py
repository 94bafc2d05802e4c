"""What a worker answers over HTTP: health and figures, nothing else.

A worker counts what its consumers do and holds the leases of jobs, so Prometheus has to ask it as it asks the web
processes; and a container platform has to see that it lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import StartupError
from core.process.once import Once
from core.process.tasks import awaited, end
from core.runtime import Runtime
from core.settings import Settings
from web.endpoint import answer
from web.health import examine
from web.metrics import exposition
from web.schemas import Health

#: uvicorn's two seconds for answers under way, and some more.
_STOP_SECONDS = 5.0

_UNCACHED = {"Cache-Control": "no-store"}


def worker_app(runtime: Runtime) -> Starlette:
    """The same paths as a web process has."""
    probes = Once[Any]("probe")

    async def health(request: Request) -> Response:
        found = await examine(runtime, probes)
        return answer(found, status=503 if found.status == "DOWN" else 200, headers=_UNCACHED)

    async def liveness(request: Request) -> Response:
        return answer(Health(status="UP"), headers=_UNCACHED, exclude_defaults=True)

    async def metrics(request: Request) -> Response:
        return await exposition(runtime, probes)

    return Starlette(
        routes=[
            Route("/actuator/health", health),
            Route("/actuator/health/liveness", liveness),
            Route("/metrics", metrics),
        ]
    )


@contextlib.asynccontextmanager
async def worker_endpoint(runtime: Runtime, settings: Settings) -> AsyncIterator[None]:
    """Serves `worker_app` on `worker_port` until the block ends; does nothing when that is 0. Raises StartupError."""
    if not settings.worker_port:
        yield
        return
    try:
        listening = socket.create_server((settings.host, settings.worker_port))
    except OSError as error:
        raise StartupError(
            f"{settings.host}:{settings.worker_port} cannot be listened on ({error.strerror}): "
            "set ONSALE_WORKER_PORT to another port, or to 0"
        ) from None
    with listening:
        server = uvicorn.Server(
            uvicorn.Config(
                worker_app(runtime),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        # Not `serve`: the worker's own signal handlers stay in place.
        serving = awaited("worker endpoint", server._serve([listening]))
        try:
            yield
        finally:
            server.should_exit = True
            await asyncio.wait({serving}, timeout=_STOP_SECONDS)
            await end(serving)
