"""Answers that every open console asks for each second: made once, shared by all who ask meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from core.clock import Clock

# Names are events' slugs that exist, so this is never reached but by an installation with as many events.
_MOST = 200


@dataclass(frozen=True, slots=True)
class _Kept:
    task: asyncio.Task[bytes]
    until: float


class ResponseCache:
    """Bodies by name, none older than `seconds` when it is given."""

    def __init__(self, clock: Clock, seconds: float = 1.0) -> None:
        self._clock = clock
        self._seconds = seconds
        self._kept: dict[str, _Kept] = {}

    async def get(self, name: str, make: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        """Raises what `make` raises."""
        now = self._clock.monotonic()
        found = self._kept.get(name)
        if found is None or (found.task.done() and now >= found.until):
            if len(self._kept) >= _MOST:
                self._kept.clear()
            task = asyncio.create_task(make(), name=f"ops {name}")
            task.add_done_callback(_retrieved)
            found = self._kept[name] = _Kept(task, now + self._seconds)
        # Shielded: one console that goes away must not take the others' answer with it.
        return await asyncio.shield(found.task)


def _retrieved(task: asyncio.Task[bytes]) -> None:
    if not task.cancelled():
        task.exception()  # told to whoever still waits
