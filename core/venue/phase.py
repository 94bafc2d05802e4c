"""A phase: a part of a sale with its own opening, codes and quota (F7). Pure.

A sale without named phases has one, `general`, made of the event's own opening time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

#: The phase of a sale that names none.
GENERAL: Final = "general"

#: How long before an opening people may gather, where nothing is said, and at most: seconds.
PREQUEUE_SECONDS: Final = 900
MOST_PREQUEUE_SECONDS: Final = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Phase:
    """`prequeue_seconds` before it opens a join makes an entry, and at the opening the entries are drawn; 0: none.

    `quota` is in seats, `max_seats` in seats of one buyer; None: no other than the event's.
    """

    name: str
    opens_at: datetime
    closes_at: datetime | None = None
    prequeue_seconds: int = 0
    code_group: str | None = None
    quota: int | None = None
    max_seats: int | None = None

    @property
    def gathers_at(self) -> datetime:
        """When the pre-queue opens; the opening itself where there is none."""
        return self.opens_at - timedelta(seconds=self.prequeue_seconds)

    def is_open(self, now: datetime) -> bool:
        return self.opens_at <= now and (self.closes_at is None or now < self.closes_at)

    def is_gathering(self, now: datetime) -> bool:
        """People gather, and the opening is still to come."""
        return self.gathers_at <= now < self.opens_at
