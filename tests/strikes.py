"""Errors that nobody expects, raised at one await of the product after the other (R1).

What a task factory wraps raises at the await where it stands, as a library's bug would: `with strikes.on(...)`, then
`strikes.arm()` and something to do, again and again until nothing new is met.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Collection, Coroutine, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from core.process.backoff import Backoff

ROOT = Path(__file__).parents[1]
_PRODUCT = ("core", "realtime", "web")


class Injected(Exception):
    """What nobody expects."""


class Await(NamedTuple):
    """The innermost function that waits, as `module.Class.function`, and the line."""

    function: str
    line: int


class Strikes:
    """`arm`: the next await that was not struck yet raises; with `only`, the next one of these functions.

    `within`: the packages of the product whose functions count.
    """

    def __init__(self, only: Collection[str] | None = None, *, within: Collection[str] = _PRODUCT) -> None:
        self.struck: list[Await] = []
        self.armed = False
        self._only = only
        self._rooms = [ROOT / package for package in within]

    @property
    def functions(self) -> set[str]:
        return {place.function for place in self.struck}

    def arm(self) -> None:
        self.armed = True

    def due(self, coroutine: Any) -> bool:
        if not self.armed:
            return False
        place = self._waits_at(coroutine)
        if place is None or place in self.struck or (self._only is not None and place.function not in self._only):
            return False
        self.struck.append(place)
        self.armed = False
        return True

    def _waits_at(self, coroutine: Any) -> Await | None:
        """None for one that has not begun, or waits outside of these packages."""
        found, inner = None, coroutine
        while inspect.iscoroutine(inner) and inspect.getcoroutinestate(inner) == inspect.CORO_SUSPENDED:
            code = inner.cr_code
            file = Path(code.co_filename)
            if any(file.is_relative_to(room) for room in self._rooms):
                line = inner.cr_frame.f_lineno if inner.cr_frame else 0
                found = Await(f"{file.stem}.{code.co_qualname}", line)
            inner = inner.cr_await
        return found

    @contextmanager
    def on(self, ours: Callable[[Any], bool]) -> Iterator[None]:
        """Of the running loop: tasks of coroutines that are `ours`."""

        def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
            taken = inspect.iscoroutine(coroutine) and ours(coroutine)
            return asyncio.Task(Struck(coroutine, self) if taken else coroutine, loop=loop, **options)

        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        try:
            yield
        finally:
            loop.set_task_factory(None)


def begins_in(*places: str) -> Callable[[Any], bool]:
    """Coroutines whose outermost function is in one of these files or folders of the repository."""
    paths = [ROOT / place for place in places]

    def ours(coroutine: Any) -> bool:
        file = Path(coroutine.cr_code.co_filename)
        return any(file.is_relative_to(path) for path in paths)

    return ours


@contextmanager
def short_pauses(*backoffs: Backoff) -> Iterator[None]:
    """What is struck some thirty times in a row would pause for seconds each time."""
    longest = [backoff.longest for backoff in backoffs]
    for backoff in backoffs:
        object.__setattr__(backoff, "longest", 0.2)
    try:
        yield
    finally:
        for backoff, seconds in zip(backoffs, longest, strict=True):
            object.__setattr__(backoff, "longest", seconds)


class Struck(Coroutine[Any, Any, Any]):
    """A coroutine whose awaits raise when that is due."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], strikes: Strikes) -> None:
        self._coroutine = coroutine
        self._strikes = strikes

    def send(self, value: Any) -> Any:
        if self._strikes.due(self._coroutine):
            return self._coroutine.throw(Injected(str(self._strikes.struck[-1])))
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield from self._coroutine.__await__())
