"""The clocks: Redis' decides (R3); a machine, or PostgreSQL, whose own is another says so."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from typing import Final

import databases

from core.clock import Clock
from core.database import raw
from core.diagnosis.finding import Cause, Finding, passed, warn
from core.diagnosis.processes_redis import named
from core.figures.vitals_redis import Vitals
from core.sentences import Sentence, said

#: A clock that is off by so many seconds is wrong.
WRONG_SECONDS: Final = 2.0


def is_wrong(ahead: float) -> bool:
    return abs(ahead) >= WRONG_SECONDS


def off(who: str | Sentence, ahead: float) -> Sentence:
    seconds = round(abs(ahead))
    if ahead > 0:
        return said("clocks.ahead", who=who, seconds=seconds)
    return said("clocks.behind", who=who, seconds=seconds)


async def ahead_of(database: databases.Database, clock: Clock) -> float:
    """Seconds by which PostgreSQL's clock is ahead of `clock`, as far as the round trip leaves it certain.

    Raises StoreUnavailable.
    """
    async with raw(database) as connection:
        before, began = clock.now(), time.monotonic()
        there = await connection.fetchval("SELECT clock_timestamp()")
        unsure = (time.monotonic() - began) / 2
    ahead = float((there - before).total_seconds()) - unsure
    return 0.0 if abs(ahead) <= unsure else ahead - unsure if ahead > 0 else ahead + unsure


async def postgres_clock(database: databases.Database, clock: Clock) -> AsyncIterator[Finding]:
    """Raises StoreUnavailable."""
    ahead = await ahead_of(database, clock)
    if is_wrong(ahead):
        yield warn("clocks", Cause.CLOCK_DIFFERS, said("clocks.of_redis", clocks=off("PostgreSQL", ahead)))
    else:
        yield passed("clocks", said("clocks.same"))


def process_clocks(alive: Iterable[Vitals]) -> Iterable[Finding]:
    wrong = [off(named(one), one.ahead) for one in alive if is_wrong(one.ahead)]
    if wrong:
        yield warn("clocks", Cause.CLOCK_DIFFERS, said("clocks.of_redis", clocks=wrong))
