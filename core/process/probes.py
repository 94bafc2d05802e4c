"""Questions to stores that may hang: asked once at a time, waited for only so long, never cancelled.

Cancelling would not help: a database driver that is cancelled talks to its server first, which hangs as well. A
question that is not answered stays open until the driver gives up; whoever asks meanwhile waits for that same answer,
so that calls during a hang take one connection and not one each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Probes:
    def __init__(self) -> None:
        self._open: dict[str, asyncio.Task[Any]] = {}

    async def ask(self, name: str, question: Callable[[], Coroutine[Any, Any, T]], limit: float) -> T:
        """The answer to `question`, or TimeoutError after `limit` seconds. Raises what the question raises."""
        task: asyncio.Task[T] | None = self._open.get(name)
        if task is None:
            task = asyncio.create_task(question(), name=f"probe {name}")
            self._open[name] = task
            task.add_done_callback(lambda done: self._closed(name, done))
        done, _ = await asyncio.wait({task}, timeout=limit)
        if not done:
            raise TimeoutError
        return task.result()

    def _closed(self, name: str, task: asyncio.Task[Any]) -> None:
        del self._open[name]
        if not task.cancelled():
            task.exception()  # told to whoever still waits; nobody waiting is no fault
