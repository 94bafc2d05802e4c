"""A long wait: is it the store that is slow, or this process that has no time? Only the first is a reason to refuse."""

from __future__ import annotations

import asyncio
import time
from typing import Any

# A process that computed for at least this share of a wait was held up by itself, not by the store: one that waits for
# a hanging store idles, and even on a machine with four times too much to do a busy one gets more than this.
_BUSY_SHARE = 0.2


class Wait:
    """Begins when it is made."""

    __slots__ = ("_computed", "_since")

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._computed = time.process_time()

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
