"""What is left of open sales, for a list of them: free seats, only seats in baskets, or nothing (V3)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, Literal

from core.clock import Clock
from core.errors import OnsaleError
from core.process.once import Once
from core.seats.board import BoardSnapshot, SeatState
from core.venue.event import Event

Left = Literal["free", "held", "gone"]

#: A list may be so old: it is no seat map.
_KEPT_SECONDS: Final = 2.0
#: A list is shown without it rather than late.
_PATIENCE_SECONDS: Final = 0.5
#: Sales that are looked at for one list.
_MOST: Final = 100


class Availability:
    """`read` is `Seats.board`: at most one read of a sale in two seconds, however many ask."""

    def __init__(self, read: Callable[[Event], Awaitable[BoardSnapshot]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._kept: dict[str, tuple[Left, float]] = {}
        self._reading = Once[Left]("availability")

    async def of(self, events: Sequence[Event]) -> Mapping[str, Left]:
        """By slug; what cannot be read in time is missing."""
        found: dict[str, Left] = {}

        async def learn(event: Event) -> None:
            with contextlib.suppress(OnsaleError):
                found[event.slug] = await self._left(event)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await asyncio.gather(*map(learn, events[:_MOST]))
        return dict(found)

    async def _left(self, event: Event) -> Left:
        left, until = self._kept.get(event.slug, ("free", 0.0))
        if self._clock.monotonic() < until:
            return left
        return await self._reading(event.slug, partial(self._look, event))

    async def _look(self, event: Event) -> Left:
        until = self._clock.monotonic() + _KEPT_SECONDS
        states = (await self._read(event)).states
        left: Left = "free" if SeatState.AVAILABLE in states else "held" if SeatState.HELD in states else "gone"
        if len(self._kept) >= 10 * _MOST:
            self._kept.clear()
        self._kept[event.slug] = left, until
        return left
