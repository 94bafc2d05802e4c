"""The source's guard (S1): a lock for each seat, then check, then set, in separate steps."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from core import keys
from core.errors import SeatTaken
from core.process.calls import redis_call
from core.seats.basket import Basket
from core.seats.board import SeatState
from core.seats.scripts_redis import SeatScripts
from core.seats.seat_lock_redis import LockBusy, SeatLocks
from core.venue.event import Event


class LockGuard:
    """Check and set are two round trips; only the lock keeps others out between them.

    Early release (S2): the lock is held for the state change, never while a buyer pays.
    """

    name = "lock"

    def __init__(self, scripts: SeatScripts, locks: SeatLocks, redis: Redis) -> None:
        self._scripts = scripts
        self._locks = locks
        self._redis = redis

    async def hold(
        self,
        event: Event,
        visitor: str,
        ordinals: Sequence[int],
        runs: Sequence[Sequence[int]] = (),
        *,
        call: str = "",
    ) -> Basket:
        try:
            async with self._locks.hold(event.slug, ordinals):
                await require_free(self._redis, event, visitor, ordinals)
                return await self._scripts.hold(event, visitor, ordinals, runs, check=False, call=call)
        except LockBusy:
            # Somebody is taking the seat at this moment: fail fast (S1).
            raise SeatTaken(list(ordinals)) from None


async def require_free(redis: Redis, event: Event, visitor: str, ordinals: Sequence[int]) -> None:
    """The check of the two guards that check in Python. Raises SeatTaken, StoreUnavailable."""
    with redis_call:
        async with redis.pipeline(transaction=False) as pipeline:
            for ordinal in ordinals:
                pipeline.get(keys.seat_state(event.slug, ordinal))
                pipeline.getrange(keys.board(event.slug), ordinal, ordinal)
            answers = await pipeline.execute()
    taken = []
    for ordinal, owner, byte in zip(ordinals, answers[::2], answers[1::2], strict=True):
        own = owner is not None and owner.startswith(visitor.encode() + b"|")
        # An empty byte: there is no board (the script says so), or no such seat.
        if not own and (owner is not None or (byte and byte[0] != SeatState.AVAILABLE)):
            taken.append(ordinal)
    if taken:
        raise SeatTaken(taken)
