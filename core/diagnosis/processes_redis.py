"""The processes, as they tell of themselves: which hang, which are full, whose key differs, whom they refuse (R2)."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from core.clock import Clock
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.figures.vitals_redis import Vitals, VitalsBoard
from core.sentences import Sentence, said

_MANY = 5


@dataclass(frozen=True, slots=True)
class Processes:
    """Those that told how they are within the last seconds, and those that are silent."""

    alive: Sequence[Vitals]
    silent: Sequence[Vitals]

    def is_heard(self, name: str) -> bool:
        return any(name.startswith(one.process) for one in self.alive)

    def is_gone(self, name: str) -> bool:
        """Whether the process of this name (`HOST:PID:...`, a claim's token begins with it) works no more.

        On this machine it is looked for; of another one, who tells nothing of itself is gone.
        """
        if self.is_heard(name):
            return False
        host, _, rest = name.partition(":")
        pid = rest.partition(":")[0]
        if not pid.isdigit():
            return False  # whoever that is
        if host != socket.gethostname():
            return True
        try:
            os.kill(int(pid), 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:
            return False
        return False


async def known_processes(vitals: VitalsBoard) -> Processes:
    """Raises StoreUnavailable."""
    return Processes(await vitals.all(), await vitals.silent())


async def processes(found: Processes, clock: Clock) -> AsyncIterator[Finding]:
    now = clock.now().timestamp()
    if found.silent:
        silent = [
            said("processes.silent_one", process=named(one), seconds=round(now - one.at), channels=one.channels)
            for one in found.silent
        ]
        yield fail("processes", Cause.PROCESS_SILENT, said("processes.silent", processes=silent))
    else:
        yield passed("processes", said("processes.alive", number=len(found.alive)))


def named(one: Vitals) -> Sentence:
    return said("processes.one", pid=str(one.pid), host=one.host)


def full(found: Processes, channels_per_process: int) -> Iterable[Finding]:
    for one in found.alive:
        if one.channels >= channels_per_process:
            told = said("processes.full", process=named(one), channels=one.channels)
            yield warn("channels", Cause.CHANNELS_FULL, told)


def crowded(found: Processes) -> Iterable[Finding]:
    """Where calls were refused in the last minute because too many stood in line for a store (R8)."""
    counts: dict[str, int] = {}
    for one in found.alive:
        for store, count in one.crowded.items():
            counts[store] = counts.get(store, 0) + count
    if counts:
        calls = [said("load.of_store", number=count, store=store) for store, count in sorted(counts.items())]
        yield fail("load", Cause.OVERLOADED, said("load.refused", calls=calls))
    else:
        yield passed("load", said("load.none"))


def signing_keys(found: Processes, fingerprint: str | None) -> Iterable[Finding]:
    """`fingerprint`: the one that PostgreSQL knows; None: it was not asked, or knows none."""
    told = {one.key for one in found.alive if one.key}
    right = fingerprint or (min(told) if len(told) > 1 else None)
    wrong = [one for one in found.alive if one.key and right and one.key != right]
    if wrong:
        differ = said("signing_key.differs", processes=[named(one) for one in wrong])
        yield fail("signing key", Cause.SIGNING_KEYS_DIFFER, differ)
    elif told:
        yield passed("signing key", said("signing_key.same"))


def refused_callers(found: Processes, visitor: str | None) -> Iterable[Finding]:
    """Who was refused for calling too often in the last minute. The visitor who asks, else whether it is many."""
    counts: dict[str, int] = {}
    for one in found.alive:
        for who, count in one.limited.items():
            counts[who] = counts.get(who, 0) + count
    if visitor is not None and visitor in counts:
        told = said("limits.visitor", visitor=visitor, times=counts[visitor])
        yield fail("rate limit", Cause.RATE_LIMITED, told)
        return
    if counts:
        worst = sorted(counts.items(), key=lambda item: -item[1])[:3]
        callers = [said("limits.caller", who=who, times=count) for who, count in worst]
        seen = said("limits.callers", number=len(counts), callers=callers)
        # One or two that knock too hard are what limits are for.
        yield warn("rate limit", Cause.RATE_LIMITED, seen) if len(counts) >= _MANY else passed("rate limit", seen)
