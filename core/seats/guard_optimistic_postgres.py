"""The optimistic guard: PostgreSQL's version column decides who set first; the losers try again (S4)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import databases
from prometheus_client import Counter
from redis.asyncio import Redis

from core.database import raw
from core.errors import SeatTaken
from core.process.backoff import Backoff
from core.seats.basket import Basket
from core.seats.guard_lock_redis import require_free
from core.seats.scripts_redis import SeatScripts
from core.venue.event import Event

_READ = "SELECT ordinal, version, status FROM seats WHERE event_id = $1 AND ordinal = ANY($2::int[]) ORDER BY ordinal"
# Rows are locked in ordinal order first: two baskets that overlap can then never wait for each other.
_COMPARE_AND_SET = """
WITH wanted AS (SELECT * FROM unnest($2::int[], $3::bigint[]) AS w (ordinal, version)),
locked AS (
    SELECT s.ordinal FROM seats s JOIN wanted w ON w.ordinal = s.ordinal AND w.version = s.version
    WHERE s.event_id = $1 ORDER BY s.ordinal FOR UPDATE OF s
)
UPDATE seats s SET version = version + 1 FROM locked l
WHERE s.event_id = $1 AND s.ordinal = l.ordinal AND (SELECT count(*) FROM locked) = cardinality($2::int[])
"""
# Anything up to 5 ms, then up to twice that, and so on: those who met do not meet again.
_PAUSES = Backoff(first=0.0025, longest=1.0, jitter=1.0)

CONFLICTS = Counter("onsale_optimistic_conflicts", "Version conflicts met by the optimistic guard: the retry storm")


class OptimisticGuard:
    """Reads versions, checks, then sets where the versions are unchanged.

    The hold is written to Redis before the commit, while the rows are locked: whoever reads the new version also
    reads the hold. A commit that fails leaves a hold with an old version, which harms nobody.
    """

    name = "optimistic"

    def __init__(self, scripts: SeatScripts, database: databases.Database, redis: Redis, attempts: int) -> None:
        self._scripts = scripts
        self._database = database
        self._redis = redis
        self._attempts = attempts

    async def hold(
        self,
        event: Event,
        visitor: str,
        ordinals: Sequence[int],
        runs: Sequence[Sequence[int]] = (),
        *,
        call: str = "",
    ) -> Basket:
        wanted = sorted(ordinals)
        for attempt in range(self._attempts):
            async with raw(self._database) as connection:
                rows = await connection.fetch(_READ, event.id, wanted)
            gone = [row["ordinal"] for row in rows if row["status"] != "AVAILABLE"]
            if gone:
                raise SeatTaken(gone)
            await require_free(self._redis, event, visitor, wanted)
            versions = [row["version"] for row in rows]
            async with raw(self._database) as connection, connection.transaction():
                done = await connection.execute(_COMPARE_AND_SET, event.id, wanted, versions)
                if done == f"UPDATE {len(wanted)}":
                    return await self._scripts.hold(event, visitor, ordinals, runs, check=False, call=call)
            CONFLICTS.inc()
            await asyncio.sleep(_PAUSES.seconds(attempt + 1))
        raise SeatTaken(list(ordinals))
