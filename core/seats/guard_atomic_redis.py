"""The default guard: one script checks and sets (S3)."""

from __future__ import annotations

from collections.abc import Sequence

from core.seats.basket import Basket
from core.seats.scripts_redis import SeatScripts
from core.venue.event import Event


class AtomicGuard:
    """Nothing can slip between the check and the set: Redis runs one script at a time."""

    name = "atomic"

    def __init__(self, scripts: SeatScripts) -> None:
        self._scripts = scripts

    async def hold(
        self,
        event: Event,
        visitor: str,
        ordinals: Sequence[int],
        runs: Sequence[Sequence[int]] = (),
        *,
        call: str = "",
    ) -> Basket:
        return await self._scripts.hold(event, visitor, ordinals, runs, call=call)
