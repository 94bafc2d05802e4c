"""What is wrong in a seat plan and concerns its drawing alone: a default in its place, and a warning that names it.

Only what decides who sits where is an error. Editors leave half-drawn areas, a size of 0 or a row's number nowhere; a
hall is sold all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from core.sentences import Sentence, said
from core.venue.plan_problems import MAX_LISTED, Path, in_plain_words, json_path
from core.venue.plan_schema import MAX_RADIUS, AreaPart, CategoryPart, Size
from core.venue.seat_plan import PlanWarning, Seat

#: Where a row's number may stand.
_NUMBER_POSITIONS: Final = ("start", "end", "both", "left", "right", "", None)

#: What editors write into an area of places without numbers.
_COUNTED: Final = ("capacity", "general_admission", "generalAdmission", "max_occupancy")

_Warn = Callable[[Path, Sentence], None]


@dataclass(slots=True)
class Warnings:
    """Gathers warnings by place; no more than `MAX_LISTED` of them are kept, the others are counted: `more`."""

    kept: list[PlanWarning]
    more: int = 0

    def add(self, path: Path, what: Sentence) -> None:
        if len(self.kept) < MAX_LISTED:
            self.kept.append(PlanWarning(json_path(path), what))
        else:
            self.more += 1


def mended(document: dict[str, Any], warn: _Warn) -> dict[str, Any]:
    """The document as it can be drawn; the one that is given stays as it is. Anything may be in it."""
    plan = dict(document)
    if plan.get("name") is None:
        warn(("name",), said("plan.name_missing"))
        plan["name"] = ""
    if plan.get("size") is not None and not _fits(Size, plan["size"]):
        warn(("size",), said("plan.size_wrong"))
        plan["size"] = None
    if isinstance(plan.get("categories"), list):
        plan["categories"] = [_category(one, ("categories", at), warn) for at, one in enumerate(plan["categories"])]
    _warn_of_seats(plan.get("zones"), warn)
    if isinstance(plan.get("zones"), list):
        plan["zones"] = [_zone(one, ("zones", at), warn) for at, one in enumerate(plan["zones"])]
    return plan


def _warn_of_seats(zones: Any, warn: _Warn) -> None:
    """What every seat of a plan may have is said once.

    Some editors write into the plan what was sold or blocked elsewhere: every seat of a plan is for sale.
    """
    states: list[Path] = []
    radii: list[Path] = []
    for z, zone in enumerate(_list(zones)):
        for r, row in enumerate(_list(_of(zone, "rows"))):
            for s, seat in enumerate(_list(_of(row, "seats"))):
                if _of(seat, "status") not in (None, "", "free", "available"):
                    states.append(("zones", z, "rows", r, "seats", s, "status"))
                if not _is_radius(_of(seat, "radius")):
                    radii.append(("zones", z, "rows", r, "seats", s, "radius"))
    if states:
        more = len(states) - 1
        warn(states[0], said("plan.statuses_ignored", more=more) if more else said("plan.status_ignored"))
    if radii:
        more = len(radii) - 1
        one, many = said("plan.radius_wrong", most=MAX_RADIUS), said("plan.radii_wrong", most=MAX_RADIUS, more=more)
        warn(radii[0], many if more else one)


def _is_radius(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and 0 < value <= MAX_RADIUS)


def _of(part: Any, name: str) -> Any:
    return part.get(name) if isinstance(part, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _category(category: Any, path: Path, warn: _Warn) -> Any:
    if isinstance(category, dict) and category.get("color") and not _fits(CategoryPart, {**category, "name": "x"}):
        warn((*path, "color"), said("plan.category_colour"))
        return {**category, "color": ""}
    return category


def _zone(zone: Any, path: Path, warn: _Warn) -> Any:
    if not isinstance(zone, dict):
        return zone
    made = dict(zone)
    _warn_of_count(zone, path, said("plan.zone_not_sold"), warn)
    if made.get("rows") is None:
        warn((*path, "rows"), said("plan.rows_missing"))
        made["rows"] = []
    if not isinstance(made.get("areas"), list | None):
        warn((*path, "areas"), said("plan.areas_wrong"))
        made["areas"] = None
    if isinstance(made.get("rows"), list):
        made["rows"] = [_row(one, (*path, "rows", at), warn) for at, one in enumerate(made["rows"])]
    if isinstance(made.get("areas"), list):
        areas = [_area(one, (*path, "areas", at), warn) for at, one in enumerate(made["areas"])]
        made["areas"] = [area for area in areas if area is not None]
    return made


def _row(row: Any, path: Path, warn: _Warn) -> Any:
    if not isinstance(row, dict):
        return row
    row = dict(row)
    if "position" in row and row["position"] is None:
        warn((*path, "position"), said("plan.row_position_missing"))
        del row["position"]
    if not all(_is_radius(_of(seat, "radius")) for seat in _list(row.get("seats"))):
        row["seats"] = [seat if _is_radius(_of(seat, "radius")) else {**seat, "radius": None} for seat in row["seats"]]
    where = row.get("row_number_position")
    if where not in _NUMBER_POSITIONS:
        warn((*path, "row_number_position"), said("plan.row_number_position", found=repr(str(where)[:40])))
        row["row_number_position"] = None
    return row


def _warn_of_count(part: Any, path: Path, what: Sentence, warn: _Warn) -> None:
    if counted := next((name for name in _COUNTED if _of(part, name) is not None), None):
        warn((*path, counted), what)


def _area(area: Any, path: Path, warn: _Warn) -> Any:
    """None: it cannot be drawn."""
    _warn_of_count(area, path, said("plan.area_not_sold"), warn)
    if isinstance(area, dict) and area.get("position") is None:
        warn((*path, "position"), said("plan.area_position_missing"))
        area = {**area, "position": {"x": 0, "y": 0}}
    for name in ("color", "border_color"):
        color = area.get(name) if isinstance(area, dict) else None
        if color and not _fits(CategoryPart, {"name": "x", "color": color}):
            warn((*path, name), said("plan.area_colour"))
            area = {**area, name: ""}
    try:
        AreaPart.model_validate(area)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        warn((*path, *first["loc"]), said("plan.area_left_out", why=in_plain_words(first)))
        return None
    return area


def _fits(part: type[Size | CategoryPart], value: Any) -> bool:
    try:
        part.model_validate(value)
    except ValidationError:
        return False
    return True


def warn_of_twins(seats: Iterable[tuple[Path, Seat]], warn: _Warn) -> None:
    """Two seats whose names are the same words, and two that lie on one spot: who is sold which cannot be seen."""
    named: dict[tuple[str, str, str], Path] = {}
    placed: dict[tuple[float, float], Path] = {}
    for path, seat in seats:
        same = named.setdefault((seat.zone, seat.row, seat.number), path)
        if same is not path:
            warn((*path, "seat_number"), said("plan.same_name", place=json_path(same)))
        under = placed.setdefault((seat.x, seat.y), path)
        if under is not path:
            warn((*path, "position"), said("plan.same_spot", place=json_path(under)))
