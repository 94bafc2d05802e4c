"""A long wait: is it the store that is slow, or this process that has no time? Only the first is a reason to refuse."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

# A process that computed for at least this share of a wait was held up by itself, not by the store: one that waits for
# a hanging store idles, and even on a machine with four times too much to do a busy one gets more than this.
_BUSY_SHARE: Final = 0.2
#: How old a reading of the process' own time may be when a wait begins, in seconds. A reading costs a call of the
#: system, which was 2 to 3.6% of all that a busy process did; a wait that is judged has lasted a second at least, so
#: what the process computed just before it is no more than a twentieth of that.
_FRESH_SECONDS: Final = 0.05

#: How often a process that starts asks a store that does not answer in time, before it says that there is none. Where a
#: whole machine starts at once each of them is late. One that refuses is told at once.
START_TRIES: Final = 5


async def answered_at_start(ask: Callable[[], Awaitable[object]], *late: type[Exception]) -> None:
    """Asks again where a store is `late`, `START_TRIES` times in all. Raises what the last `ask` does."""
    for _ in range(START_TRIES - 1):
        try:
            await ask()
        except late:
            continue
        return
    await ask()


class _ProcessTime:
    """The CPU seconds that this process has used, as they were `_FRESH_SECONDS` ago at most."""

    __slots__ = ("_read", "_read_at")

    def __init__(self) -> None:
        self._read_at = -math.inf
        self._read = 0.0

    def before(self, now: float) -> float:
        """`now`: of `time.monotonic`."""
        if now - self._read_at > _FRESH_SECONDS:
            self._read_at = now
            self._read = time.process_time()
        return self._read


_process_time: Final = _ProcessTime()


class Wait:
    """Begins when it is made."""

    __slots__ = ("_computed", "_since")

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._computed = _process_time.before(self._since)

    def seconds(self) -> float:
        return time.monotonic() - self._since

    def is_our_own_fault(self) -> bool:
        """True when this process was busy for a good part of the wait."""
        return time.process_time() - self._computed >= _BUSY_SHARE * self.seconds()


class AnswerTimeout:
    """`async with AnswerTimeout(seconds, longest):` raises TimeoutError when the body waits longer than that.

    While this process is too busy itself it is given more, up to `longest`: a refusal would only bring the call back.
    """

    __slots__ = ("_limit", "_longest", "_look_again", "_seconds", "_wait")

    def __init__(self, seconds: float, longest: float) -> None:
        self._seconds = seconds
        self._longest = longest

    async def __aenter__(self) -> None:
        self._wait = Wait()
        self._limit = asyncio.timeout(None)
        await self._limit.__aenter__()
        self._look_again = asyncio.get_running_loop().call_later(self._seconds, self._look)

    async def __aexit__(self, *raised: Any) -> None:
        self._look_again.cancel()
        await self._limit.__aexit__(*raised)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        if self._wait.is_our_own_fault() and self._wait.seconds() < self._longest:
            self._look_again = loop.call_later(self._seconds, self._look)
        else:
            self._limit.reschedule(loop.time())


class AnswerTimeouts:
    """The same for many futures that are waited for one after the other, with one timer for all of them.

    A future that is waited for longer gets a TimeoutError. All have the same `seconds`, so the one that began first is
    the first to be due, and an answered one costs nothing more.
    """

    def __init__(self) -> None:
        #: When each is due, by the loop's clock, in that order.
        self._due: deque[_Due] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def bound(self, future: asyncio.Future[Any], wait: Wait, seconds: float, longest: float) -> None:
        """`wait` began when the waiting for `future` did."""
        loop, due = future.get_loop(), self._due
        while due and due[0].future.done():
            due.popleft()
        due.append(_Due(loop.time() + seconds, future, wait, seconds, longest))
        if self._timer is None:
            self._timer = loop.call_at(due[0].at, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        due, now = self._due, loop.time()
        while due and (due[0].at <= now or due[0].future.done()):
            _, future, wait, seconds, longest = due.popleft()
            if future.done():
                continue
            if wait.is_our_own_fault() and wait.seconds() < longest:
                due.append(_Due(now + seconds, future, wait, seconds, longest))
            else:
                future.set_exception(TimeoutError("no answer in time"))
        if due:
            self._timer = loop.call_at(due[0].at, self._look, loop)


class _Due(NamedTuple):
    at: float
    future: asyncio.Future[Any]
    wait: Wait
    seconds: float
    longest: float
