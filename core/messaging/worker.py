"""A worker: a process without a web server that relays, consumes, resolves payments and does the periodic work."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import structlog

from core.embedded import Engines
from core.runtime import Runtime, open_runtime
from core.settings import Settings

log = structlog.get_logger(__name__)

_DRAIN_SECONDS = 20.0


async def run_worker(
    settings: Settings,
    engines: Engines,
    *,
    stop: asyncio.Event,
    drain_seconds: float = _DRAIN_SECONDS,
    end_process: Callable[[], None] = lambda: None,
    beside: Callable[[Runtime], AbstractAsyncContextManager[None]] = lambda runtime: contextlib.nullcontext(),
) -> int:
    """Works until `stop` is set, then ends what is in hand; returns how many tasks had to be cut off (their work is
    claimed again by another process). The schema must be up to date. `beside` is open meanwhile. `end_process`: as in
    `open_runtime`. Raises StartupError.
    """
    async with open_runtime(settings, engines, consume=True, end_process=end_process) as runtime, beside(runtime):
        await runtime.start_jobs()
        log.info("worker started", process=runtime.process, kafka=settings.kafka_bootstrap_servers or "local bus")
        await stop.wait()
        return await runtime.stop_jobs(drain_seconds)
