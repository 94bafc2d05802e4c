"""Who gathers for an opening, in Redis: frozen once at the opening, read in pages, given numbers in pages (F1).

No script and no read holds Redis for longer than some ten milliseconds, whatever the number of entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from redis.asyncio import Redis

from core import keys
from core.clock import Clock, to_millis
from core.process.calls import redis_call
from core.venue.event import Event, Opening
from core.waiting_room.scripts_redis import QueueScripts

#: Entries that one read fetches, and drawn numbers that one script writes, at most.
READ_BATCH = 2_000
ASSIGN_BATCH = 1_000
#: Entries of a draw that was told are taken away at once; where that is interrupted they end after so long.
TOLD_KEPT_MS = 3_600_000


class Frozen(NamedTuple):
    """Who takes part in a draw is settled: their numbers are `base` + 1 to `base` + `reserved` at most."""

    base: int
    reserved: int
    at_ms: int


class Entries:
    """Raises StoreUnavailable; every call may be repeated."""

    def __init__(self, *, redis: Redis, scripts: QueueScripts, grace_seconds: float, clock: Clock) -> None:
        """`grace_seconds`: an entry that was silent for longer at the opening does not count."""
        self._redis = redis
        self._scripts = scripts
        self._clock = clock
        self._grace_ms = int(grace_seconds * 1000)

    async def freeze_if_due(self, event: Event, opening: Opening) -> Frozen | None:
        """At the opening: who takes part is settled, once, by Redis' clock. None while it is still to come."""
        state, base, reserved, at = await self._scripts(
            "freeze",
            event,
            [
                opening.id,
                to_millis(opening.draw_at),
                opening.state.value,
                opening.base,
                opening.reserved,
                opening.patience_ms(self._clock.now()),
            ],
        )
        if state == b"gathering":
            return None
        return Frozen(int(float(base)), int(reserved), int(float(at)))

    async def read(self, event: Event, frozen: Frozen) -> dict[str, str]:
        """visitor -> receipt of all who were there."""
        found: dict[str, str] = {}
        cursor = 0
        with redis_call:
            silent = await self._silent(event.slug, frozen.at_ms - self._grace_ms)
            while True:
                cursor, page = await self._redis.hscan(keys.entries(event.slug), cursor, count=READ_BATCH)
                for visitor, entry in cast(dict[bytes, bytes], page).items():
                    if visitor not in silent:
                        found[visitor.decode()] = entry.partition(b"|")[0].decode()
                if cursor == 0:
                    return found

    async def assign(self, event: Event, opening_id: int, numbers: Sequence[tuple[str, int]]) -> int:
        """Writes drawn numbers into the queue; returns how many. Who has left meanwhile gets none."""
        written = 0
        for first in range(0, len(numbers), ASSIGN_BATCH):
            page = [value for pair in numbers[first : first + ASSIGN_BATCH] for value in pair]
            written += int(await self._scripts("assign", event, [opening_id, *page]))
        return written

    async def finish(self, event: Event, opening_id: int) -> bool:
        """Every entry has its number: places are shown, and the head comes in. False: that was so already."""
        told = keys.told_entries(event.slug), keys.told_entry_beats(event.slug)
        return bool(await self._scripts("drawn", event, [opening_id, *told, TOLD_KEPT_MS]))

    async def withdraw(self, event: Event, opening_id: int) -> bool:
        """Nobody gathers for this opening any more: who did joins anew. False: nobody did."""
        return bool(await self._scripts("withdraw", event, [opening_id]))

    async def forget(self, event: Event) -> None:
        """Takes away the entries of a draw that was told; what is left of them when a process dies ends by itself."""
        entries, beats = keys.told_entries(event.slug), keys.told_entry_beats(event.slug)
        with redis_call:
            # From the start each time: what was found is gone. A page without any is one of a table that shrinks.
            while await self._redis.exists(entries):
                cursor = 0
                while True:
                    cursor, page = await self._redis.hscan(entries, cursor, count=ASSIGN_BATCH)
                    if page:
                        await self._redis.hdel(entries, *page)
                    if cursor == 0:
                        break
            while await self._redis.zremrangebyrank(beats, 0, ASSIGN_BATCH - 1):
                pass

    async def _silent(self, slug: str, before_ms: int) -> set[bytes]:
        silent: set[bytes] = set()
        while True:
            page = await self._redis.zrange(
                keys.entry_beats(slug), "-inf", f"({before_ms}", byscore=True, offset=len(silent), num=READ_BATCH
            )
            silent.update(cast(list[bytes], page))
            if len(page) < READ_BATCH:
                return silent
