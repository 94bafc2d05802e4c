"""A visitor's place: in the queue, or let in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PlaceState(StrEnum):
    WAITING = "waiting"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Place:
    """`ahead` visitors are before this one (0 when active) as of queue `version`; `waiting` and `active` are totals.

    `until` is the end of an active visitor's session; `eta_seconds` an estimate, None when nothing is known.
    """

    state: PlaceState
    number: int
    ahead: int
    waiting: int
    active: int
    version: int
    until: datetime | None
    eta_seconds: int | None


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What one sweep did, in visitors (`lapsed`: baskets), and the totals after it."""

    sessions_ended: int
    active_silent: int
    waiting_silent: int
    lapsed: int
    closed: int
    admitted: int
    waiting: int
    active: int
