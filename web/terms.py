"""What this installation tells browsers of itself and of each sale: values of its settings, none of them a secret."""

from __future__ import annotations

from dataclasses import dataclass

from core.venue.new_event import SaleDefaults
from core.waiting_room.visit_times import VisitTimes


@dataclass(frozen=True, slots=True)
class Terms:
    """`base_url` is empty where it is the address that the browser asked; `seat_guard` is the guard's name."""

    times: VisitTimes
    hold_extensions: int
    seat_guard: str
    base_url: str
    defaults: SaleDefaults
