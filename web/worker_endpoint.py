"""What a worker answers over HTTP: health and figures, nothing else.

A worker counts what its consumers do and holds the leases of jobs, so Prometheus has to ask it as it asks the web
processes; and a container platform has to see that it lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import StartupError
from core.process.once import Once
from core.process.tasks import awaited, end
from web.endpoint import answer
from web.health_checks import Check, examine
from web.metrics import StoreFigures, exposition, response
from web.schemas import Health

#: uvicorn's two seconds for answers under way, and some more.
_STOP_SECONDS = 5.0

_UNCACHED = {"Cache-Control": "no-store"}


def worker_app(probes: Once[Any], checks: Mapping[str, Check], figures: StoreFigures) -> Starlette:
    """The same paths as a web process has."""

    async def health(request: Request) -> Response:
        found = await examine(probes, checks)
        return answer(found, status=503 if found.status == "DOWN" else 200, headers=_UNCACHED)

    async def liveness(request: Request) -> Response:
        return answer(Health(status="UP"), headers=_UNCACHED, exclude_defaults=True)

    async def metrics(request: Request) -> Response:
        return response(await exposition(figures))

    return Starlette(
        routes=[
            Route("/actuator/health", health),
            Route("/actuator/health/liveness", liveness),
            Route("/metrics", metrics),
        ]
    )


@contextlib.asynccontextmanager
async def worker_endpoint(app: Starlette, host: str, port: int) -> AsyncIterator[None]:
    """Serves the `worker_app` until the block ends; does nothing when `port` is 0. Raises StartupError."""
    if not port:
        yield
        return
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise StartupError(
            f"{host}:{port} cannot be listened on ({error.strerror}): set ONSALE_WORKER_PORT to another port, or to 0"
        ) from None
    with listening:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
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
