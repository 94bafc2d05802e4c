"""Tasks whose failure is logged and counted: what `tasks.py` has no log and no figures for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import structlog
from prometheus_client import Counter, Gauge

from core.process.tasks import awaited, end

log = structlog.get_logger(__name__)

T = TypeVar("T")

FAILURES = Counter("onsale_task_failures", "Background tasks that ended with an exception", ["task"])
STUCK = Counter("onsale_tasks_stuck", "Background tasks that went on although they were cancelled", ["task"])
RUNNING = Gauge("onsale_tasks_running", "Background tasks under way", multiprocess_mode="livesum")


def first_word(name: str) -> str:
    """What metrics call a task: a name may carry an id after a space."""
    return name.split(" ")[0]


def watched(name: str, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task whose exception is logged and counted as soon as it ends. The caller keeps the reference and the end."""
    task = awaited(name, coroutine)
    RUNNING.inc()
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[Any]) -> None:
    RUNNING.dec()
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        FAILURES.labels(first_word(task.get_name())).inc()
        log.error("background task failed", task=task.get_name(), exc_info=error)


def tell_of_stuck(name: str, seconds: float) -> None:
    """Counts and logs a task that goes on `seconds` after it was cancelled."""
    STUCK.labels(first_word(name)).inc()
    log.error("task goes on although it was cancelled", task=name, seconds=seconds)


@contextlib.asynccontextmanager
async def beside(name: str, coroutine: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Runs a task for as long as the block does. The block is not told when the task ends earlier."""
    task = watched(name, coroutine)
    try:
        yield task
    finally:
        await end(task)
