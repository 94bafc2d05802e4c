"""Who looked at which buyer is written down (R9): once a minute and process, although an open console looks every few
seconds.
"""

from __future__ import annotations

from typing import Final

from core.clock import Clock
from core.process.bounded import Bounded

_SECONDS: Final = 60.0
#: Look-ups remembered by a process; of more than these in a minute some stand in the trail twice, as does what two ask
#: at the same moment.
_MOST: Final = 1_000


class LookUps:
    """What this process has written down within the last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._noted: Bounded[tuple[str, str, str], float] = Bounded(_MOST)

    def is_new(self, actor: str, action: str, whom: str) -> bool:
        """It has not been written down within the last minute."""
        return self._clock.monotonic() >= self._noted.get((actor, action, whom), 0.0)

    def written_down(self, actor: str, action: str, whom: str) -> None:
        """It stands in the trail: its minute begins."""
        self._noted.keep((actor, action, whom), self._clock.monotonic() + _SECONDS)
