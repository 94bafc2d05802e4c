"""A phase: a part of a sale with its own opening, codes and quota (F7). Pure.

A sale without named phases has one, `general`, made of the event's own opening time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core.errors import InvalidRequest
from core.venue.event_name import what_is_wrong_with_part

#: The phase of a sale that names none.
GENERAL: Final = "general"

#: How long before an opening people may gather, where nothing is said, and at most: seconds.
PREQUEUE_SECONDS: Final = 900
MOST_PREQUEUE_SECONDS: Final = 7 * 24 * 3600

#: Phases of one sale, characters of a name, and seats of a quota, at most.
MOST_PHASES: Final = 20
MOST_QUOTA: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Phase:
    """`prequeue_seconds` before it opens a join makes an entry (`gathers_at`), and at the opening the entries are
    drawn; 0: none.

    `quota` is in seats, `max_seats` in seats of one buyer; None: no other than the event's.
    """

    name: str
    opens_at: datetime
    closes_at: datetime | None = None
    prequeue_seconds: int = 0
    code_group: str | None = None
    quota: int | None = None
    max_seats: int | None = None

    def is_open(self, now: datetime) -> bool:
        return self.opens_at <= now and (self.closes_at is None or now < self.closes_at)


def gathers_at(phases: Sequence[Phase], phase: Phase) -> datetime:
    """When the pre-queue of `phase`, one of `phases`, opens; the opening itself where there is none.

    People gather for one opening at a time: no earlier than the last one before it with a pre-queue has opened.
    """
    if phase.prequeue_seconds == 0:
        return phase.opens_at
    before = [one.opens_at for one in phases if one.prequeue_seconds > 0 and one.opens_at < phase.opens_at]
    return max([phase.opens_at - timedelta(seconds=phase.prequeue_seconds), *before])


def check_phases(phases: Sequence[Phase]) -> None:
    """Raises InvalidRequest with what is wrong, and at which one."""
    if len(phases) > MOST_PHASES:
        raise InvalidRequest(f"phases: {MOST_PHASES} at most", errors=[{"at": "phases", "message": "too many"}])
    if len({phase.name for phase in phases}) != len(phases):
        raise InvalidRequest("phases: two have the same name", errors=[{"at": "phases", "message": "the same name"}])
    for index, phase in enumerate(phases):
        for what, wrong in _faults(phase):
            at = f"phases[{index}].{what}"
            raise InvalidRequest(f"{at}: {wrong}", errors=[{"at": at, "message": wrong}])


def _faults(phase: Phase) -> Sequence[tuple[str, str]]:
    found = []
    for what, name in (("name", phase.name), ("code_group", phase.code_group)):
        if name is not None and (wrong := what_is_wrong_with_part(name)) is not None:
            found.append((what, wrong))
    for what, moment in (("opens_at", phase.opens_at), ("closes_at", phase.closes_at)):
        if moment is not None and moment.tzinfo is None:
            found.append((what, "a time with its zone"))
    if not found and phase.closes_at is not None and phase.closes_at <= phase.opens_at:
        found.append(("closes_at", "later than opens_at"))
    if not 0 <= phase.prequeue_seconds <= MOST_PREQUEUE_SECONDS:
        found.append(("prequeue_seconds", f"0 to {MOST_PREQUEUE_SECONDS}"))
    if phase.quota is not None and not 1 <= phase.quota <= MOST_QUOTA:
        found.append(("quota", f"1 to {MOST_QUOTA} seats"))
    if phase.max_seats is not None and not 1 <= phase.max_seats <= 100:
        found.append(("max_seats", "1 to 100"))
    return found
