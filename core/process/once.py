"""Single flight: who asks while an answer is under way waits for that one.

The work goes on when those who asked give up or go away: a driver that is cancelled first talks to its server, which
may hang as well, and who comes again finds the answer, or the same work still under way. So a crowd that meets
something missing, or a store that hangs, makes one call and not a crowd's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from core.process.tasks import awaited

T = TypeVar("T")


class Once(Generic[T]):
    """`await once(key, make)`: the value of `make()`, or of the call for `key` that is under way already.

    `name` is what tasks are called in logs. Nothing is kept: after the answer the next caller asks anew.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._open: dict[Hashable, asyncio.Task[T]] = {}

    async def __call__(
        self, key: Hashable, make: Callable[[], Coroutine[Any, Any, T]], *, limit: float | None = None
    ) -> T:
        """Raises what `make` raises, TimeoutError after `limit` seconds."""
        task = self.begin(key, make)
        if limit is None:
            return await asyncio.shield(task)  # a third of what it costs to wait for one of several
        done, _ = await asyncio.wait({task}, timeout=limit)
        if not done:
            raise TimeoutError(f"no answer within {limit} s: {task.get_name()}")
        return task.result()

    def begin(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """The call that is under way, made if there is none. Nobody need wait for it."""
        task = self._open.get(key)
        if task is None:
            task = awaited(f"{self._name} {str(key)[:64]}", make())
            self._open[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def forget(self, key: Hashable) -> None:
        """Who asks from now on gets an answer of their own; those who wait get theirs."""
        self._open.pop(key, None)

    @property
    def open(self) -> list[asyncio.Task[T]]:
        """What is under way and not forgotten."""
        return list(self._open.values())

    def _ended(self, key: Hashable, task: asyncio.Task[T]) -> None:
        if self._open.get(key) is task:
            del self._open[key]
        if not task.cancelled():
            task.exception()  # told to whoever still waits; nobody waiting is no fault
