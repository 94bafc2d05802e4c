"""Visitors about whom something is in doubt: each is asked about until an answer is known.

Some at once, in any order; a visitor who comes into doubt again while the answer is on its way is asked about again.
A store that does not answer costs time and forgets nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from core.errors import OnsaleError
from core.process.backoff import Backoff
from core.process.tasks import cancelled

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 32
#: One look-up makes a few calls, each of which ends within three seconds.
_ANSWER_SECONDS: Final = 20.0
_PAUSES: Final = Backoff(first=0.5, longest=4.0, jitter=0.3)


class LookUps:
    """`look_up(visitor)` finds out and tells; what it raises puts the visitor in doubt again. `run` never returns."""

    def __init__(self, what: str, look_up: Callable[[str], Awaitable[object]]) -> None:
        self._what = what
        self._look_up = look_up
        self._doubted: dict[str, None] = {}
        self._doubts = asyncio.Event()
        self._asked = 0

    def __len__(self) -> int:
        """Visitors in doubt who are not being asked about."""
        return len(self._doubted)

    @property
    def none_left(self) -> bool:
        """Nobody is in doubt."""
        return not (self._doubted or self._asked)

    def doubt(self, visitor: str) -> None:
        self._doubted[visitor] = None
        self._doubts.set()

    def forget(self, visitor: str) -> None:
        self._doubted.pop(visitor, None)

    async def run(self) -> None:
        failures = 0
        while not cancelled():
            if not self._doubted:
                self._doubts.clear()
                await self._doubts.wait()
            failures = 0 if await self._ask_about_some() else failures + 1
            if failures:
                await asyncio.sleep(_PAUSES.seconds(failures))

    async def _ask_about_some(self) -> bool:
        """False when one of them is as much in doubt as before."""
        some = [visitor for visitor, _ in zip(self._doubted, range(_AT_ONCE), strict=False)]
        for visitor in some:
            del self._doubted[visitor]
        left = dict.fromkeys(some)
        errors: list[BaseException] = []
        self._asked = len(some)
        try:
            answers = await asyncio.gather(*map(self._ask, some), return_exceptions=True)
            for visitor, answer in zip(some, answers, strict=True):
                if isinstance(answer, BaseException):
                    errors.append(answer)
                else:
                    del left[visitor]
        finally:
            self._asked = 0
            for visitor in left:
                self.doubt(visitor)
        if errors:
            first = errors[0]
            known = isinstance(first, (OnsaleError, TimeoutError))
            log.warning(
                "visitors not looked up",
                what=self._what,
                visitors=len(left),
                error=str(first),
                exc_info=None if known else first,
            )
        return not errors

    async def _ask(self, visitor: str) -> None:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await self._look_up(visitor)
