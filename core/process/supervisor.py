"""Named background tasks that are watched: an exception is logged and counted, never lost; the end is orderly."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog
from prometheus_client import Counter, Gauge

log = structlog.get_logger(__name__)

FAILURES = Counter("onsale_task_failures", "Background tasks that ended with an exception", ["task"])
RUNNING = Gauge("onsale_tasks_running", "Background tasks under way", multiprocess_mode="livesum")


class Supervisor:
    """Start, watch, stop the intake, drain with a deadline, cancel."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    @property
    def closing(self) -> bool:
        """True once the drain has begun: nothing new is to be taken on."""
        return self._closing

    def spawn(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs a coroutine in the background. `name` may carry an id after a space; metrics use the first word."""
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        RUNNING.inc()
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        RUNNING.dec()
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            FAILURES.labels(task.get_name().split(" ")[0]).inc()
            log.error("background task failed", task=task.get_name(), exc_info=error)

    async def drain(self, seconds: float) -> int:
        """Waits for all tasks, then cancels what is left; returns how many had to be cancelled."""
        self._closing = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        # A task may spawn another one while it ends (a submit spawns its payment): all of them are waited for.
        while self._tasks and loop.time() < deadline:
            await asyncio.wait(set(self._tasks), timeout=deadline - loop.time())
        left = set(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.gather(*left, return_exceptions=True)
        return len(left)
