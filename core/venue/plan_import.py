"""Seating plan files -> `SeatPlan`: every error with its place, positions made absolute.

A row's position is relative to its zone, a seat's and an area's to its row or zone. Ordinals follow the file: zone by
zone, row by row, seat by seat. The format has no field for accessible places; a seat is accessible when its
category's name says so (`ACCESSIBLE`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain, count
from typing import Any

from pydantic import ValidationError

from core.sentences import said
from core.venue.plan_document import parse_document
from core.venue.plan_geometry import areas_of, fit, row_labels_of
from core.venue.plan_mending import Warnings, mended, warn_of_twins
from core.venue.plan_problems import Path, Problems, in_plain_words, json_path
from core.venue.plan_schema import PlanPart, as_read
from core.venue.seat_plan import Category, Seat, SeatPlan

#: The board is one byte a seat and is sent whole; the largest halls sold with numbered seats have about 100,000.
MAX_SEATS = 100_000

#: The editors' size of a seat without `radius`, in plan units.
DEFAULT_RADIUS = 10.0

#: Category names of places for wheelchair users, in the languages that the plans at hand use.
ACCESSIBLE = re.compile(
    r"wheelchair|accessib|rollstuhl|rolstoel|fauteuil roulant|silla de ruedas|휠체어|車椅子|轮椅", re.IGNORECASE
)

# For categories without a colour: distinguishable pairs first (Okabe and Ito's palette).
_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442", "#666666")


def load_plan(data: bytes) -> SeatPlan:
    """Raises PlanInvalid with all errors: `[{"at": "zones[0].rows[3].seats[2].category", "message": ..., ...}]`."""
    return build_plan(parse_document(data))


def build_plan(document: dict[str, Any]) -> SeatPlan:
    """The plan of a document that somebody brings (`parse_document`). Raises PlanInvalid."""
    return _built(document, Problems(), check=True)


def stored_plan(document: dict[str, Any]) -> SeatPlan:
    """The plan of a sale that was made: what became a rule later is not held against it.

    A category that only seats name is one without a price: not for sale. Raises PlanInvalid.
    """
    return _built(document, Problems(), check=False)


def _built(document: dict[str, Any], problems: Problems, *, check: bool) -> SeatPlan:
    seat_count = sum(1 for _ in _raw_seats(document))
    if seat_count > MAX_SEATS:
        problems.add(("zones",), said("plan.too_many_seats", found=seat_count, most=MAX_SEATS))
        problems.stop_if_any()
    warnings = Warnings([])
    part = _validated(mended(document, warnings.add), problems)
    if check:
        _check_lines(document, problems)
        _check_categories(document, problems)
        _check_seats(document, problems)
    problems.stop_if_any()
    assert part is not None  # noqa: S101 - `_validated` gives None only together with a problem
    plan = _assemble(part)
    places = (path for path, _ in _raw_seats(document))
    warn_of_twins(zip(places, plan.seats, strict=True), warnings.add)
    return replace(plan, warnings=tuple(warnings.kept), more_warnings=warnings.more)


def relabelled(document: dict[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """The same document with other names of categories: `labels` has the plan's name -> the new one."""

    def named(part: dict[str, Any], key: str) -> dict[str, Any]:
        return {**part, key: labels.get(as_read(part[key]), part[key])}

    def row(found: dict[str, Any]) -> dict[str, Any]:
        return {**found, "seats": [named(seat, "category") for seat in found["seats"]]}

    return {
        **document,
        "categories": [named(category, "name") for category in document["categories"]],
        "zones": [{**zone, "rows": [row(found) for found in _list(zone, "rows")]} for zone in document["zones"]],
    }


def _validated(document: dict[str, Any], problems: Problems) -> PlanPart | None:
    try:
        return PlanPart.model_validate(document)
    except ValidationError as error:
        for found in error.errors(include_url=False, include_input=False):
            problems.add(found["loc"], in_plain_words(found))
        return None


def _raw_seats(document: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """What looks like a seat, with its path, in a document that may be wrong in any way."""
    for z, zone in enumerate(_list(document, "zones")):
        for r, row in enumerate(_list(zone, "rows")):
            for s, seat in enumerate(_list(row, "seats")):
                if isinstance(seat, dict):
                    yield ("zones", z, "rows", r, "seats", s), seat


def _list(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _check_lines(document: dict[str, Any], problems: Problems) -> None:
    """A text that is drawn in the hall may have lines; a name is one, on tickets and in subjects of e-mails."""
    parts: list[tuple[Path, Any, tuple[str, ...]]] = [((), document, ("name",))]
    for c, category in enumerate(_list(document, "categories")):
        parts.append((("categories", c), category, ("name",)))
    for z, zone in enumerate(_list(document, "zones")):
        parts.append((("zones", z), zone, ("name", "zone_id")))
        for r, row in enumerate(_list(zone, "rows")):
            parts.append((("zones", z, "rows", r), row, ("row_number", "row_label", "seat_label")))
    seats = ((path, seat, ("seat_guid", "seat_number")) for path, seat in _raw_seats(document))
    for path, part, names in chain(parts, seats):
        for name in names:
            value = part.get(name) if isinstance(part, dict) else None
            if isinstance(value, str) and ("\n" in value or "\r" in value):
                problems.add((*path, name), said("plan.line_break"))


def _check_categories(document: dict[str, Any], problems: Problems) -> None:
    first: dict[str, int] = {}
    for index, category in enumerate(_list(document, "categories")):
        name = as_read(category.get("name")) if isinstance(category, dict) else None
        if isinstance(name, str) and first.setdefault(name, index) != index:
            earlier = json_path(("categories", first[name]))
            problems.add(("categories", index, "name"), said("plan.category_twice", name=_shown(name), place=earlier))


def _check_seats(document: dict[str, Any], problems: Problems) -> None:
    """What is compared is what will be stored: 7 is "7", and a no-break space a space."""
    names = [as_read(category.get("name")) for category in _list(document, "categories") if isinstance(category, dict)]
    categories = {name for name in names if isinstance(name, str)}
    first: dict[str, Path] = {}
    seats = 0
    for path, seat in _raw_seats(document):
        seats += 1
        category = as_read(seat.get("category"))
        if isinstance(category, str) and category not in categories:
            known = ", ".join(_shown(name) for name in sorted(categories)[:20])
            problems.add(
                (*path, "category"),
                said("plan.no_category", name=_shown(category), known=known)
                if known
                else said("plan.no_categories", name=_shown(category)),
            )
        guid = as_read(seat.get("seat_guid"))
        if isinstance(guid, str) and guid:
            earlier = first.setdefault(guid, path)
            if earlier is not path:
                problems.add((*path, "seat_guid"), said("plan.guid_twice", guid=_shown(guid), place=json_path(earlier)))
    if not seats and isinstance(document.get("zones"), list):
        problems.add(("zones",), said("plan.no_seats"))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")


def _in_words(label: str, number: str) -> str:
    """What a row or a seat is called: "Tisch 5" of the label "Tisch %s" and the number 5."""
    if not label.strip():
        return number
    return (label.replace("%s", number) if "%s" in label else f"{label} {number}").strip()


def _assemble(part: PlanPart) -> SeatPlan:
    seats: list[Seat] = []
    lines = count()
    for zone in part.zones:
        for row in zone.rows:
            line = next(lines)
            x, y = zone.position.x + row.position.x, zone.position.y + row.position.y
            name = _in_words(row.row_label, row.row_number)
            seats.extend(
                Seat(
                    guid=seat.seat_guid,
                    zone=zone.name or zone.zone_id,
                    row=name,
                    number=_in_words(row.seat_label, seat.seat_number),
                    category=seat.category,
                    x=x + seat.position.x,
                    y=y + seat.position.y,
                    radius=seat.radius or DEFAULT_RADIUS,
                    accessible=bool(ACCESSIBLE.search(seat.category)),
                    line=line,
                )
                for seat in row.seats
            )
    # The seats' as well: in a plan that was stored long ago they may name one that there is not.
    colors = dict.fromkeys([*(one.name for one in part.categories), *(seat.category for seat in seats)], "")
    colors |= {one.name: one.color for one in part.categories}
    plan = SeatPlan(
        name=part.name,
        width=part.size.width if part.size else 0.0,
        height=part.size.height if part.size else 0.0,
        categories=tuple(
            Category(name, color or _COLORS[index % len(_COLORS)]) for index, (name, color) in enumerate(colors.items())
        ),
        zones=tuple(dict.fromkeys(seat.zone for seat in seats)),
        seats=tuple(seats),
        areas=tuple(areas_of(part)),
        row_labels=tuple(row_labels_of(part)),
    )
    return fit(plan)


def seats_by_category(plan: SeatPlan) -> dict[str, int]:
    """Category -> number of its seats, in the plan's order of categories."""
    counts = Counter(seat.category for seat in plan.seats)
    return {category.name: counts[category.name] for category in plan.categories}
