"""Notices that Redis is another one than before: restarted, failed over, or back after it was away (S14, S32).

An emptied Redis is met by the missing board at once. One that came back with old data says things that were true some
seconds or hours ago, and looks well: so all seats of open sales are compared as soon as it is noticed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis

from core.process.store_redis import REDIS_LOST

log = structlog.get_logger(__name__)

RETURNS = Counter("onsale_redis_returns", "Times that Redis was another one than before, or back after it was away")


class RedisWatch:
    """The body of the `redis_watch` job. `mend` compares and mends everything."""

    def __init__(self, *, redis: Redis, mend: Callable[[], Awaitable[object]]) -> None:
        self._redis = redis
        self._mend = mend
        self._known: frozenset[str] = frozenset()
        self._away = False

    async def run(self) -> bool:
        """True when everything was compared because of what was seen."""
        try:
            servers = _run_ids(await self._redis.info("server"))
        except REDIS_LOST:
            self._away = True
            return False
        # On a Cluster a node more or less is seen as a change too: a comparison too many harms nobody.
        changed = bool(self._known) and servers != self._known
        if not (changed or self._away):
            self._known = servers
            return False
        RETURNS.inc()
        log.warning("redis is back or another one: all seats are compared", changed=changed, was_away=self._away)
        await self._mend()
        self._known, self._away = servers, False
        return True


def _run_ids(info: dict[str, object]) -> frozenset[str]:
    """Of one server, or of each node of a Cluster, whose client answers with a mapping of nodes."""
    if "run_id" in info:
        return frozenset({str(info["run_id"])})
    return frozenset(str(node["run_id"]) for node in info.values() if isinstance(node, dict) and "run_id" in node)
