"""How many lines refused calls may cost: a flood of them must neither fill the log nor hide what else is in it (R8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

#: Lines of one kind of refusal (route, status, code) in `_SECONDS`; the others are told as a number.
MOST_LINES: Final = 30
_SECONDS: Final = 10.0
# Kinds are ours, not the callers': there are a few hundred of them.
_MOST_KINDS: Final = 1_000


class RefusalLog:
    """`take` says whether this refusal gets a line; what got none is told, as a number, with the next one that does."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        #: Kind -> when its time began, lines in it, and how many got none.
        self._kinds: dict[str, tuple[float, int, int]] = {}

    def take(self, kind: str) -> bool:
        now = self._monotonic()
        since, lines, untold = self._kinds.get(kind, (now, 0, 0))
        if now - since >= _SECONDS:
            if untold:
                log.warning("refusals not logged one by one", kind=kind, count=untold, seconds=round(now - since))
            since, lines, untold = now, 0, 0
        told = lines < MOST_LINES
        if len(self._kinds) >= _MOST_KINDS and kind not in self._kinds:
            self._kinds.clear()
        self._kinds[kind] = (since, lines + 1, untold) if told else (since, lines, untold + 1)
        return told
