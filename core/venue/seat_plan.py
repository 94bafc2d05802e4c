"""A seat plan in the form that the rest of the system uses: seats in ordinal order, positions absolute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.sentences import Sentence


@dataclass(frozen=True, slots=True)
class Category:
    name: str
    color: str


@dataclass(frozen=True, slots=True)
class Seat:
    """`x`, `y` are plan units from the plan's origin; the ordinal is the seat's index in `SeatPlan.seats`.

    `line`: which row of the file it is, since two rows may have one name.
    """

    guid: str
    zone: str
    row: str
    number: str
    category: str
    x: float
    y: float
    radius: float
    accessible: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class Area:
    """Something drawn that is not a seat: a stage, a bar, a wall. Positions are absolute, rotation in degrees.

    `shape`: rectangle (width, height), circle (radius), ellipse (rx, ry), polygon (points [[x, y], ...]), text.
    """

    shape: str
    x: float
    y: float
    geometry: dict[str, Any] = field(default_factory=dict)
    rotation: float = 0.0
    color: str = ""
    border_color: str = ""
    text: str = ""
    text_x: float = 0.0
    text_y: float = 0.0
    text_size: float = 16.0
    text_color: str = ""


@dataclass(frozen=True, slots=True)
class RowLabel:
    """The row's name drawn at one end of the row."""

    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """What concerns the drawing alone: `at` is a JSON path in the file."""

    at: str
    said: Sentence

    @property
    def message(self) -> str:
        """In English, as shell and API say it."""
        return self.said.in_words()

    def told(self) -> dict[str, Any]:
        """As the API answers it: `{at, message, key, arguments}`."""
        return {"at": self.at, "message": self.message, **self.said.told()}


@dataclass(frozen=True, slots=True)
class SeatPlan:
    """`more_warnings`: how many are not listed.

    `moved`: how far, right and down, everything lies from where the file has it (`plan_geometry.fit`).
    """

    name: str
    width: float
    height: float
    categories: tuple[Category, ...]
    zones: tuple[str, ...]
    seats: tuple[Seat, ...]
    areas: tuple[Area, ...] = ()
    row_labels: tuple[RowLabel, ...] = ()
    warnings: tuple[PlanWarning, ...] = field(default=(), compare=False)
    more_warnings: int = field(default=0, compare=False)
    moved: tuple[float, float] = (0.0, 0.0)
