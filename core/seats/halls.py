"""Halls and their tables by event, made once in a process: both follow from the plan and the event's focal point."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from core.process.bounded import Bounded
from core.process.once import Once
from core.seats.best_seats import Hall, hall_of
from core.seats.best_seats_table import DIGEST_BYTES, packed
from core.venue.event import Event
from core.venue.seat_plan import SeatPlan

#: As many as plans are kept: a hall of 2,000 seats takes about 0.3 MB, its table 15 KB.
_KEPT = 32


@dataclass(frozen=True, slots=True)
class SeatTable:
    """`packed`: what the script reads; `digest` names it."""

    hall: Hall
    packed: bytes

    @property
    def digest(self) -> bytes:
        return self.packed[:DIGEST_BYTES]


class Halls:
    """`plan` gives an event's seat plan. Raises what that raises."""

    def __init__(self, plan: Callable[[Event], Awaitable[SeatPlan]]) -> None:
        self._plan = plan
        self._tables: Bounded[tuple[str, tuple[float, float] | None, int], SeatTable] = Bounded(_KEPT)
        self._builds = Once[SeatTable]("hall")

    async def table(self, event: Event) -> SeatTable:
        name = (event.plan_digest, event.focus, event.companions)
        if (kept := self._tables.get(name)) is not None:
            return kept
        return await self._builds(name, partial(self._build, event))

    async def _build(self, event: Event) -> SeatTable:
        made = await asyncio.to_thread(_table, await self._plan(event), event.focus, event.companions)
        self._tables.keep((event.plan_digest, event.focus, event.companions), made)
        return made

    async def runs(self, event: Event, ordinals: Sequence[int]) -> list[Sequence[int]]:
        """The seats side by side with each of these, in the order of the line, without duplicates.

        Not those of wheelchair places and their companions: who comes alone leaves a companion's seat over.
        """
        hall = (await self.table(event)).hall
        runs = [hall.runs[n] for n in dict.fromkeys(hall.run_of[ordinal] for ordinal in ordinals)]
        return [run.seats for run in runs if hall.beside.isdisjoint(run.seats)]


def _table(plan: SeatPlan, focus: tuple[float, float] | None, companions: int) -> SeatTable:
    hall = hall_of(plan, focus, companions)
    return SeatTable(hall, packed(hall))
