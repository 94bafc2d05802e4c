"""The waiting room's scripts (`lua/`), all with the same keys and the same first arguments."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from core import keys
from core.clock import Clock
from core.process.line import Begins
from core.process.lua_redis import Script, ScriptRunner
from core.process.source_files import SourceFiles
from core.venue.event import Event, SaleState

_LUA = SourceFiles(__file__, "lua")
_READS = {"place", "places"}
#: A prelude, and scripts with keys of their own (`access_redis.py`).
_OTHERS = {"queue", "phase", "spend"}
#: Taking a place waits for a better moment; beating, leaving and looking never do.
_BEGINS = dict.fromkeys(("claim", "join", "enter"), Begins.ANYTHING)
_SCRIPTS = {
    name: Script(_LUA, name, changes=name not in _READS, begins=_BEGINS.get(name))
    for name in _LUA
    if name not in _OTHERS
}


class QueueScripts:
    """`await scripts("join", event, [...])`. Raises StoreUnavailable."""

    def __init__(self, *, run: ScriptRunner, session_seconds: float, clock: Clock) -> None:
        self._run = run
        self._session_ms = int(session_seconds * 1000)
        self._clock = clock

    def limit(self, event: Event) -> int:
        """How many may be active now: none are let in while the sale is paused or not open."""
        if event.paused or event.sale_state(self._clock.now()) is not SaleState.OPEN:
            return 0
        return event.active_limit

    async def __call__(
        self, name: str, event: Event, arguments: Sequence[str | int], more_keys: Sequence[str] = ()
    ) -> Any:
        """`more_keys` stand behind those that all scripts have."""
        slug = event.slug
        return await self._run(
            _SCRIPTS[name],
            [*_keys(slug), *more_keys],
            [
                keys.seat_state_prefix(slug),
                keys.seats_channel(slug),
                keys.queue_channel(slug),
                self.limit(event),
                self._session_ms,
                *arguments,
            ],
        )


@functools.lru_cache(256)
def _keys(slug: str) -> Sequence[str]:
    """The order that `lua/queue.lua` names."""
    return (
        keys.waiting_queue(slug),
        keys.waiting_beats(slug),
        keys.waiting_number(slug),
        keys.waiting_spent(slug),
        keys.queue_version(slug),
        keys.active_users(slug),
        keys.active_until(slug),
        keys.active_paying(slug),
        keys.pace(slug),
        keys.board(slug),
        keys.board_version(slug),
        keys.holds(slug),
        keys.baskets(slug),
        keys.basket_deadlines(slug),
        keys.active_cap(slug),
        keys.draw(slug),
        keys.entries(slug),
        keys.entry_beats(slug),
        keys.shares(slug),
        keys.networks(slug),
        keys.places(slug),
        keys.absent_places(slug),
        keys.silent(slug),
        keys.waits(slug),
        keys.stop(slug),
        keys.owed(slug),
        keys.turns(slug),
    )
