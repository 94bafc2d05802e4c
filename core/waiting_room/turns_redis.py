"""From Redis' list of turns to PostgreSQL, once a second, all of an event together (R4)."""

from __future__ import annotations

from typing import cast

from redis.asyncio import Redis

from core import keys
from core.clock import Clock, from_millis
from core.process.calls import redis_call
from core.venue.event import Event, SaleState
from core.venue.event_store_postgres import EventStore
from core.waiting_room.turn import Turn
from core.waiting_room.turns_postgres import Turns

#: Of one event in one statement, at most.
_BATCH = 1_000


class TurnLog:
    """The body of the `turns` job. What PostgreSQL does not take stays in Redis, where the list is bounded."""

    def __init__(self, *, redis: Redis, turns: Turns, events: EventStore, clock: Clock) -> None:
        self._redis = redis
        self._turns = turns
        self._events = events
        self._clock = clock

    async def run(self) -> None:
        """Raises StoreUnavailable."""
        for event in await self._events.list():
            if event.sale_state(self._clock.now()) is SaleState.OPEN:
                while await self._move(event) == _BATCH:
                    pass

    async def _move(self, event: Event) -> int:
        name = keys.turns(event.slug)
        with redis_call:
            found = cast(list[bytes], await self._redis.lrange(name, 0, _BATCH - 1))
        if not found:
            return 0
        await self._turns.note(event.id, [_turn(entry.decode()) for entry in found])
        with redis_call:
            # By value: another process, whose lease had ended, may have taken some of them off meanwhile.
            async with self._redis.pipeline(transaction=False) as pipeline:
                for entry in found:
                    pipeline.lrem(name, 1, cast(str, entry))
                await pipeline.execute()
        return len(found)


def _turn(entry: str) -> Turn:
    visitor, number, until = entry.rsplit("|", 2)
    return Turn(visitor, int(number), from_millis(int(until)) if until != "0" else None)
