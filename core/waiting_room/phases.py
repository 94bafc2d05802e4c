"""Which phases of a sale somebody may come in by, and which one a hold is made in (F7). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.venue.event import Event, SaleStatus
from core.venue.phase import Phase


@dataclass(frozen=True, slots=True)
class Doors:
    """What is open now. `coded`: group of codes -> the phase that it opens; `free`: the phase that wants none.

    Neither: no phase is open. Of two phases that one group opens, the first to open counts; of two that want no code as
    well.
    """

    coded: Mapping[str, Phase]
    free: Phase | None

    @property
    def want_a_code(self) -> bool:
        """Nobody comes in without one."""
        return bool(self.coded) and self.free is None


def doors(event: Event, now: datetime, *, joining: bool) -> Doors | None:
    """None: phases say nothing now. The sale names none, or was opened by hand in a time that belongs to none: then it
    is open to all, or it is not open, which the sale itself says.

    `joining`: also the phase that people gather for.
    """
    if not event.phases:
        return None
    found = [phase for phase in event.phases if phase.is_open(now) or (joining and event.gathering(now) == phase)]
    if not found:
        return None
    coded: dict[str, Phase] = {}
    free: Phase | None = None
    for phase in sorted(found, key=lambda one: (one.opens_at, one.name)):
        if phase.code_group is not None:
            coded.setdefault(phase.code_group, phase)
        elif free is None:
            free = phase
    return Doors(coded, free)


def must_wait(event: Event, now: datetime) -> bool:
    """Between two phases of a sale that opens by the clock nothing can be held."""
    return bool(event.phases) and event.status is SaleStatus.SCHEDULED and doors(event, now, joining=False) is None


def comes_in_now(event: Event, now: datetime, group: str | None) -> bool:
    """While people gather for a phase: whether another one is open to this visitor, who then joins its queue. `group`:
    that the visitor's code is of. A code that is for the phase to come makes an entry for it.
    """
    open_now = doors(event, now, joining=False)
    if open_now is None:
        return False
    if group is None or group in open_now.coded:
        return group is not None or open_now.free is not None
    gathers = event.gathering(now)
    return open_now.free is not None and (gathers is None or gathers.code_group != group)


def code_wanted(event: Event, now: datetime) -> bool:
    """Of what is open or gathers now: whether all of it wants a code. For pages."""
    near = [one for one in event.phases if one.is_open(now) or event.gathers_at(one) <= now < one.opens_at]
    return bool(near) and all(one.code_group is not None for one in near)
