"""Calls that many tasks make at the same time, made together: one round trip, and one commit, for a handful of them.

The first call leaves at once. What is called while it is on its way leaves together when it is back. So a call that is
alone waits for nobody, and the more there are the fewer round trips each of them costs.

Scripts leave in batches of their own (`lua_redis.py`): several at once, each call with a deadline that the script
reads, made again with its text where Redis does not know it. Neither would be simpler for being the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from copy import copy
from typing import Final, Generic, TypeVar

from core.errors import StoreUnavailable
from core.process.tasks import awaited

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

#: After a round that was lost, or took long to fail, each call is made alone for so long: one that hangs, behind a lock
#: say, would keep its neighbours each time.
_ALONE_SECONDS: Final = 10.0
_LONG_SECONDS: Final = 0.25
#: Of a round that failed so many calls are made again at once, each by itself: not the store's every connection.
_AGAIN_AT_ONCE: Final = 8


class _WaitingCall(Generic[Asked, Answer]):
    __slots__ = ("asked", "future", "key", "place")

    def __init__(self, asked: Asked, key: Hashable, place: str, future: asyncio.Future[Answer]) -> None:
        self.asked = asked
        self.key = key
        self.place = place
        self.future = future


class Gathered(Generic[Asked, Answer]):
    """`await gathered(asked, key=..., place=...)`: this call's own answer, or its own error.

    `together` makes several calls: all of them, or none when it raises; its answers come in the calls' order. After
    StoreUnavailable each caller hears of it, with an exception of its own. Any other error is one call's fault: then
    each is made by itself, so that none fails for its neighbour. After a round that was lost, or took long to fail,
    what is called in the next seconds is made alone, at once.
    """

    def __init__(
        self, name: str, together: Callable[[list[Asked]], Awaitable[Sequence[Answer]]], *, most: int = 32
    ) -> None:
        """`name` is what its task is called in logs; `most` calls leave together."""
        self._name = name
        self._together = together
        self._most = most
        self._waiting: list[_WaitingCall[Asked, Answer]] = []
        self._sender: asyncio.Task[None] | None = None
        self._alone_until = 0.0

    async def __call__(self, asked: Asked, *, key: Hashable, place: str = "") -> Answer:
        """Calls with the same `key` never leave together. Those that do leave in the order of their `place`: where each
        locks something, that is the order in which everybody locks. While each is made alone neither holds: those of
        one key may be under way at the same time, each in a round of its own.

        Who gives up waiting does not call the call back; one that is made alone is cancelled with its caller.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._alone_until:
            return (await self._together([asked]))[0]
        call: _WaitingCall[Asked, Answer] = _WaitingCall(asked, key, place, loop.create_future())
        self._waiting.append(call)
        if self._sender is None:
            self._sender = awaited(self._name, self._send())
        return await call.future

    async def _send(self) -> None:
        try:
            while batch := self._take():
                await self._made(batch)
        finally:
            # Here and not when the task is reaped: a call that comes in between must start a new one.
            self._sender = None
            for call in self._waiting:
                # Only where this task was cancelled.
                call.future.cancel()
            self._waiting.clear()

    def _take(self) -> list[_WaitingCall[Asked, Answer]]:
        taken: dict[Hashable, _WaitingCall[Asked, Answer]] = {}
        left = []
        for call in self._waiting:
            if call.future.done():
                continue
            if len(taken) < self._most and call.key not in taken:
                taken[call.key] = call
            else:
                left.append(call)
        self._waiting = left
        return sorted(taken.values(), key=lambda call: call.place)

    async def _made(self, batch: list[_WaitingCall[Asked, Answer]]) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            answers = await self._together([call.asked for call in batch])
        except asyncio.CancelledError:
            for call in batch:
                call.future.cancel()
            raise
        except Exception as error:
            lost = isinstance(error, StoreUnavailable)
            if len(batch) > 1 and (lost or clock() - began > _LONG_SECONDS):
                self._alone_until = clock() + _ALONE_SECONDS
            if len(batch) > 1 and not lost:
                await self._again(batch)
                return
            for call in batch:
                if not call.future.done():
                    call.future.set_exception(own_error(error) if len(batch) > 1 else error)
            return
        for call, answer in zip(batch, answers, strict=True):
            if not call.future.done():
                call.future.set_result(answer)

    async def _again(self, batch: list[_WaitingCall[Asked, Answer]]) -> None:
        """Each of them is asked by itself, a few at a time."""
        left = iter(batch)

        async def some() -> None:
            for call in left:
                await self._made([call])

        await asyncio.gather(*(some() for _ in range(_AGAIN_AT_ONCE)))


def own_error(error: Exception) -> Exception:
    """The same error for one more caller: raised, an exception gathers the tracebacks of all who raise it."""
    own = copy(error)
    own.__traceback__, own.__cause__, own.__context__ = error.__traceback__, error.__cause__, error.__context__
    return own
