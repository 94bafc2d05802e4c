"""Background tasks of the live channel: one that fails is logged at once, never when it is collected."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)


def watched(coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
    task = asyncio.create_task(coroutine, name=name)
    task.add_done_callback(_report)
    return task


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a task of the live channel failed", task=task.get_name(), exc_info=error)


async def end(*tasks: asyncio.Task[None] | None) -> None:
    """Cancels, and waits until they are over."""
    wanted = [task for task in tasks if task is not None]
    for task in wanted:
        task.cancel()
    for task in wanted:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
