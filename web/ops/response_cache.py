"""Answers that every open console asks for each second: made once, shared by all who ask meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from core.clock import Clock
from core.process.once import Once

# Names are events' slugs that exist, so this is never reached but by an installation with as many events.
_MOST = 200


class ResponseCache:
    """Bodies by name, none older than `seconds` when it is given."""

    def __init__(self, clock: Clock, seconds: float = 1.0) -> None:
        self._clock = clock
        self._seconds = seconds
        self._kept: dict[str, tuple[bytes, float]] = {}
        self._making = Once[bytes]("ops")

    async def get(self, name: str, make: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        """Raises what `make` raises."""
        body, until = self._kept.get(name, (b"", 0.0))
        if body and self._clock.monotonic() < until:
            return body
        return await self._making(name, partial(self._make, name, make))

    async def _make(self, name: str, make: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        until = self._clock.monotonic() + self._seconds
        body = await make()
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[name] = body, until
        return body
