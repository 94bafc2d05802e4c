"""Tasks, and how they are ended: the only module that makes one outside a `TaskGroup` (tests/unit/test_tasks.py).

Everything else calls `Supervisor.spawn` or `Supervisor.run_forever` (supervisor.py), or one of the helpers here:

* `beside` runs a task for as long as a block runs;
* `within` gives a coroutine a limit, also one that swallows its cancel;
* `first_of` races awaitables;
* `awaited` is a task whose value somebody waits for;
* `end` cancels tasks and waits for them, never without a limit: a library may swallow a cancel that meets the answer
  it was waiting for (redis-py does, and Python 3.11's `asyncio.wait_for`), and such a task goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Coroutine
from typing import Any, TypeVar

import structlog
from prometheus_client import Counter, Gauge

log = structlog.get_logger(__name__)

T = TypeVar("T")

FAILURES = Counter("onsale_task_failures", "Background tasks that ended with an exception", ["task"])
STUCK = Counter("onsale_tasks_stuck", "Background tasks that went on although they were cancelled", ["task"])
RUNNING = Gauge("onsale_tasks_running", "Background tasks under way", multiprocess_mode="livesum")

#: How long `end` waits, in seconds, unless it is told otherwise: a call to a store that hangs ends within three.
END_SECONDS = 5.0


class CancelledFromWithin(Exception):
    """A coroutine ended as cancelled although nobody had cancelled it."""


def first_word(name: str) -> str:
    """What metrics call a task: a name may carry an id after a space."""
    return name.split(" ")[0]


def awaited(name: str, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task whose value somebody waits for, who also hears its exception."""
    return asyncio.get_running_loop().create_task(coroutine, name=name)


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


def cancelled() -> bool:
    """Whether the running task was asked to end. Every endless loop asks: a cancel may have been swallowed."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def end(*tasks: asyncio.Future[Any] | None, within: float | None = None) -> int:
    """Cancels, and waits until all are over or `within` (`END_SECONDS`) have passed; half-way it cancels again.

    Not earlier: a task that was cancelled may be giving back what it has, and a second cancel would stop that.
    Returns how many go on in spite of it; each of them is logged and counted. Never raises what a task raised.
    """
    seconds = END_SECONDS if within is None else within
    given = {task for task in tasks if task is not None}
    left = {task for task in given if not task.done()}
    for _ in range(2):
        if left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=seconds / 2)
    for task in left:
        name = task.get_name() if isinstance(task, asyncio.Task) else "future"
        STUCK.labels(first_word(name)).inc()
        log.error("task goes on although it was cancelled", task=name, seconds=seconds)
    for task in given - left:
        if not task.cancelled():
            task.exception()  # looked at: asyncio would complain about an exception that nobody has seen
    return len(left)


async def within(seconds: float, name: str, coroutine: Coroutine[Any, Any, T]) -> T:
    """The coroutine's value; TimeoutError when it takes longer, also when it goes on in spite of its cancel.

    It runs as a task of its own for that: `asyncio.timeout` waits for ever for a body that swallows the cancel.
    """
    task = awaited(name, coroutine)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise TimeoutError(f"{name} took longer than {seconds:g} s")
        if task.cancelled():
            # Not who waits was cancelled: a cancel that comes from within is a failure like another.
            raise CancelledFromWithin(name)
        return task.result()
    finally:
        await end(task)


@contextlib.asynccontextmanager
async def beside(name: str, coroutine: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Runs a task for as long as the block does. The block is not told when the task ends earlier."""
    task = watched(name, coroutine)
    try:
        yield task
    finally:
        await end(task)


async def first_of(*awaitables: Awaitable[T], timeout: float | None = None) -> asyncio.Future[T] | None:
    """Races awaitables and ends the losers; returns the one that is done (its `result()` is a value or raises).

    Of several that are done in the same turn it is the first of the arguments. None: `timeout` seconds have passed.
    """
    racing: list[asyncio.Future[T]] = [asyncio.ensure_future(one) for one in awaitables]
    try:
        await asyncio.wait(racing, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return next((one for one in racing if one.done()), None)
    finally:
        await end(*racing)
