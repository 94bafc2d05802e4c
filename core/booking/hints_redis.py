"""The look-ups that webhooks make, over all processes: "five a second in all" is of the installation (P6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from redis.asyncio import Redis

from core import keys
from core.booking.hints import LONGEST_SECONDS, ORDER_SECONDS, PAUSE_SECONDS, Hints
from core.errors import StoreUnavailable
from core.process.lua_redis import Script, ScriptRunner
from core.process.source_files import SourceFiles

# A turn is taken with each call: after an answer that was lost one look-up is not made; the comparison makes that good.
_TURN: Final = Script(SourceFiles(__file__, "lua"), "hint_turn")


class SharedHints(Hints):
    """Without Redis each process keeps to the rule by itself."""

    def __init__(self, redis: Redis, now: Callable[[], float]) -> None:
        super().__init__(now)
        self._run = ScriptRunner(redis)

    async def turn(self, order: str, wait: float) -> float | None:
        """How long from now to wait, in seconds, where this process alone would have waited for `wait`; None: other
        processes look the order up, or have too many to look up.
        """
        limits = (1000 * ORDER_SECONDS, 1000 * PAUSE_SECONDS, 1000 * LONGEST_SECONDS)
        try:
            millis = int(await self._run(_TURN, [keys.HINTS], [order, *(round(limit) for limit in limits)]))
        except StoreUnavailable:
            return wait
        if millis >= 0:
            return millis / 1000
        # The process that has the turn may die before it; its next hint, here, is judged by all turns again.
        self.forget(order)
        return None
