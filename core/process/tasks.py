"""Tasks, and how they are ended: the only module that makes one outside a `TaskGroup` (tests/unit/test_tasks.py).

Everything else calls `Supervisor.spawn` or `Supervisor.run_forever` (supervisor.py), or one of the helpers here:

* `within` gives a coroutine a limit, also one that swallows its cancel;
* `first_of` races awaitables;
* `awaited` is a task whose value somebody waits for;
* `end` cancels tasks and waits for them, never without a limit: a library may swallow a cancel that meets the answer
  it was waiting for (redis-py does, and Python 3.11's `asyncio.wait_for`), and such a task goes on.

What goes wrong in a task is logged and counted by `watched_tasks.py`. This module loads neither the log nor Prometheus:
who watches the web processes uses it, and stays small (cli/serving.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: How long `end` waits, in seconds, unless it is told otherwise: a call to a store that hangs ends within three.
END_SECONDS = 5.0


class CancelledFromWithin(Exception):
    """A coroutine ended as cancelled although nobody had cancelled it."""


def awaited(name: str, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task whose value somebody waits for, who also hears its exception."""
    return asyncio.get_running_loop().create_task(coroutine, name=name)


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
        from core.process.watched_tasks import tell_of_stuck  # here: hardly ever needed, and it loads much

        tell_of_stuck(task.get_name() if isinstance(task, asyncio.Task) else "future", seconds)
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
