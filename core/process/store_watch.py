"""Whether what a sale needs answers this process: PostgreSQL, Redis, payment (R4).

Each is asked about once a second, over a connection of its own: a pool that a crowd has emptied is no outage. Silent
for two seconds, it is away; the first answer ends that. Who follows is told of each change, at once.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import structlog
from prometheus_client import Gauge

from core.process.once import Once
from core.process.tasks import cancelled
from core.process.waits import Wait

log = structlog.get_logger(__name__)

AWAY = Gauge("onsale_away", "1 while a process does not reach what a sale needs", ["what"], multiprocess_mode="livemax")

#: How it is asked whether something answers. Raises when it does not.
Ask = Callable[[], Coroutine[Any, Any, object]]

DATABASE: Final = "database"
REDIS: Final = "redis"
PAYMENT: Final = "payment"

_PAUSE_SECONDS: Final = 0.7
#: A question that is not answered after this long has failed.
_ANSWER_SECONDS: Final = 1.5
#: Without an answer for so long it is away: a restart of half a second is nobody's business.
SILENT_SECONDS: Final = 2.0
#: After an outage the sweep gives the time back within so many seconds.
GIVEN_WITHIN_SECONDS: Final = 10.0


class StoreWatch:
    """`run` until cancelled. Before its first questions everything is there."""

    def __init__(self, asks: Mapping[str, Ask], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`asks`: name -> how it is asked about."""
        self._asks = dict(asks)
        self._monotonic = monotonic
        self._probes = Once[Any]("store-watch")
        #: When it last answered; after an outage, when that ended.
        self._answered = dict.fromkeys(self._asks, monotonic())
        self._since: dict[str, float] = {}
        self._followers: list[Callable[[], None]] = []
        #: When it began to look; None: it does not.
        self._began: float | None = None
        #: How long the last outage was, and when it was over.
        self._stood = 0.0
        self._back_at = -math.inf

    @property
    def away(self) -> tuple[str, ...]:
        """What is away now."""
        return tuple(name for name in self._asks if name in self._since)

    def away_for(self, *names: str) -> float | None:
        """Seconds since the first of these that are away last answered; None when none is."""
        since = [self._since[name] for name in names or self._asks if name in self._since]
        return self._monotonic() - min(since) if since else None

    def stood(self, unknown: float = math.inf) -> float:
        """Seconds for which nobody could do what a deadline was for, and that nobody may have got back yet: while
        something is away and for some seconds after it. `unknown`: at least so many for some seconds after the start,
        when nobody knows: infinite where it is better to wait, 0 where only what is known counts.
        """
        now = self._monotonic()
        if self._began is None:
            return 0.0
        away_for = self.away_for()
        if away_for is not None:
            return away_for
        known = self._stood if now - self._back_at < GIVEN_WITHIN_SECONDS else 0.0
        return max(known, unknown) if now - self._began < GIVEN_WITHIN_SECONDS else known

    def follow(self, changed: Callable[[], None]) -> None:
        """`changed` is called after each change, and must return at once."""
        self._followers.append(changed)

    async def run(self) -> None:
        began = self._began = self._monotonic()
        self._answered = {name: max(at, began) for name, at in self._answered.items()}
        while not cancelled():
            await self.look()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def look(self) -> None:
        """Asks about everything once, all at the same time."""
        before = self.away
        try:
            await asyncio.gather(*(self._ask(name, ask) for name, ask in self._asks.items()))
        finally:
            if self.away != before:
                self._tell()

    async def _ask(self, name: str, ask: Ask) -> None:
        wait = Wait()
        try:
            await self._probes(name, ask, limit=_ANSWER_SECONDS)
        except Exception as error:  # whatever it says (a login that is refused, too): it did not answer
            if isinstance(error, TimeoutError) and wait.is_our_own_fault():
                return  # it is this process that has no time
            self._failed(name, error)
        else:
            now = self._monotonic()
            self._answered[name] = now
            since = self._since.pop(name, None)
            if since is not None:
                lasted = now - since
                self._stood = max(self._stood, lasted) if now - self._back_at < GIVEN_WITHIN_SECONDS else lasted
                self._back_at = now
                AWAY.labels(name).set(0)
                log.warning("back again", what=name)

    def _failed(self, name: str, error: BaseException) -> None:
        answered = self._answered[name]
        if name in self._since or self._monotonic() - answered < SILENT_SECONDS:
            return
        self._since[name] = answered
        AWAY.labels(name).set(1)
        log.error("away", what=name, cause=repr(error.__cause__ or error))

    def _tell(self) -> None:
        for changed in self._followers:
            try:
                changed()
            except Exception:
                log.exception("outage not told")
