"""A visitor's place: in the queue, or let in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from core.waiting_room.pace import Wait


class PlaceState(StrEnum):
    ENTERED = "entered"
    WAITING = "waiting"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Entry:
    """Who gathers for an opening: `receipt` stands for this visitor in the draw, `entered` is how many gather.

    `drawing`: the opening has come, and the order is being made.
    """

    opening: int
    receipt: str
    salt: str
    entered: int
    draw_at: datetime
    drawing: bool


@dataclass(frozen=True, slots=True)
class Place:
    """`ahead` visitors are before this one (0 when active) as of queue `version`; `waiting` and `active` are totals.

    `until` is the end of an active visitor's session; `eta_seconds` an estimate, None when nothing is known. `entry` is
    there when the state is ENTERED; the figures are 0 then.
    """

    state: PlaceState
    number: int
    ahead: int
    waiting: int
    active: int
    version: int
    until: datetime | None
    eta_seconds: int | None
    wait: Wait | None = None
    entry: Entry | None = None


class Out(NamedTuple):
    """Who is neither waiting, nor active, nor gathered; `reason`: session, heartbeat, left, removed or closed, "" where
    nothing is known of it.
    """

    reason: str


class QueueSnapshot(NamedTuple):
    """Many visitors at one queue `version`: those who wait, as (number, visitors ahead), and those who have entered."""

    version: int
    waiting: dict[str, tuple[int, int]]
    entered: set[str]


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What one sweep did, in visitors (`lapsed`: baskets; `given_time`: sessions and baskets), and the totals after it.

    `more`: it had to stop before everything was done. `stops`: those of the sale's clock that PostgreSQL has not noted
    yet, as far as Redis knows (`outage.stops_of`).
    """

    sessions_ended: int
    active_silent: int
    waiting_silent: int
    lapsed: int
    closed: int
    admitted: int
    waiting: int
    active: int
    more: bool = False
    given_time: int = 0
    stops: str = ""

    def __add__(self, later: SweepReport) -> SweepReport:
        """Both together: what they did, and how things stand after `later`."""
        return SweepReport(
            self.sessions_ended + later.sessions_ended,
            self.active_silent + later.active_silent,
            self.waiting_silent + later.waiting_silent,
            self.lapsed + later.lapsed,
            self.closed + later.closed,
            self.admitted + later.admitted,
            later.waiting,
            later.active,
            later.more,
            self.given_time + later.given_time,
            later.stops,
        )
