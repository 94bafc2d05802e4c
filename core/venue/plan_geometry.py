"""Where things of a seat plan are drawn: areas, row labels, and the plan's extent."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from core.venue.plan_schema import AreaPart, PlanPart, RowPart, ZonePart
from core.venue.seat_plan import Area, RowLabel, SeatPlan

#: Room around what is drawn when the plan's own size is missing or too small, in plan units.
MARGIN = 20.0

# From the last seat's middle to the row label's, when a row has one seat and so no spacing of its own.
_LABEL_DISTANCE = 25.0

_DEFAULT_TEXT_SIZE = 16.0


def areas_of(part: PlanPart) -> Iterator[Area]:
    """Areas with absolute positions. Rotation is clockwise, in degrees, about the area's position."""
    for zone in part.zones:
        for area in zone.areas or ():
            yield _area(zone, area)


def _area(zone: ZonePart, area: AreaPart) -> Area:
    x, y = zone.position.x + area.position.x, zone.position.y + area.position.y
    text = area.text
    return Area(
        shape=area.shape or "rectangle",
        x=x,
        y=y,
        geometry=_geometry(area),
        rotation=area.rotation or 0.0,
        color=area.color,
        border_color=area.border_color,
        text=text.text if text else "",
        text_x=x + (text.position.x if text else 0.0),
        text_y=y + (text.position.y if text else 0.0),
        text_size=(text.size if text else None) or _DEFAULT_TEXT_SIZE,
        text_color=text.color if text else "",
    )


def _geometry(area: AreaPart) -> dict[str, Any]:
    if area.shape == "rectangle" and area.rectangle:
        return {"width": area.rectangle.width, "height": area.rectangle.height}
    if area.shape == "circle" and area.circle:
        return {"radius": area.circle.radius}
    if area.shape == "ellipse" and area.ellipse:
        return {"rx": area.ellipse.radius.x, "ry": area.ellipse.radius.y}
    if area.shape == "polygon" and area.polygon:
        return {"points": [[point.x, point.y] for point in area.polygon.points]}
    return {}


def row_labels_of(part: PlanPart) -> Iterator[RowLabel]:
    """The row's number beyond its first seat, its last seat, or both, along the line of the outer two seats."""
    for zone in part.zones:
        for row in zone.rows:
            if row.row_number and row.seats:
                yield from _labels(zone, row)


def _labels(zone: ZonePart, row: RowPart) -> Iterator[RowLabel]:
    where = row.row_number_position
    x, y = zone.position.x + row.position.x, zone.position.y + row.position.y
    points = [(x + seat.position.x, y + seat.position.y) for seat in row.seats]
    if where in ("start", "left", "both"):
        yield RowLabel(row.row_number, *_beyond(points[0], points[1] if len(points) > 1 else None, -1.0))
    if where in ("end", "right", "both"):
        yield RowLabel(row.row_number, *_beyond(points[-1], points[-2] if len(points) > 1 else None, 1.0))


def _beyond(end: tuple[float, float], inner: tuple[float, float] | None, side: float) -> tuple[float, float]:
    """One seat's distance further out than `end`, seen from its neighbour; `side` is used when there is none."""
    if inner is None or end == inner:
        return end[0] + side * _LABEL_DISTANCE, end[1]
    away = (end[0] - inner[0], end[1] - inner[1])
    length = math.hypot(*away)
    # Within bounds, so that an aisle between the outer two seats does not carry the label off.
    distance = min(max(length, 0.8 * _LABEL_DISTANCE), 1.6 * _LABEL_DISTANCE)
    return end[0] + away[0] / length * distance, end[1] + away[1] / length * distance


def fit(plan: SeatPlan) -> SeatPlan:
    """The plan with an extent that shows all of it.

    A size given in the file is kept when everything lies inside; otherwise the plan is moved and enlarged, because
    a seat outside the drawing could not be bought.
    """
    left, top, right, bottom = _bounds(plan)
    sized = plan.width > 0 and plan.height > 0
    if sized and left >= 0 and top >= 0 and right <= plan.width and bottom <= plan.height:
        return plan
    if not sized:
        left, top, right, bottom = left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN
    else:
        left, top = min(0.0, left - MARGIN), min(0.0, top - MARGIN)
        right, bottom = max(plan.width, right + MARGIN), max(plan.height, bottom + MARGIN)
    dx, dy = -left, -top
    return replace(
        plan,
        width=right - left,
        height=bottom - top,
        seats=tuple(replace(seat, x=seat.x + dx, y=seat.y + dy) for seat in plan.seats),
        areas=tuple(
            replace(area, x=area.x + dx, y=area.y + dy, text_x=area.text_x + dx, text_y=area.text_y + dy)
            for area in plan.areas
        ),
        row_labels=tuple(replace(label, x=label.x + dx, y=label.y + dy) for label in plan.row_labels),
        moved=(dx, dy),
    )


def _bounds(plan: SeatPlan) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of all that is drawn; row labels count by their middles."""
    points = [(seat.x - seat.radius, seat.y - seat.radius) for seat in plan.seats]
    points += [(seat.x + seat.radius, seat.y + seat.radius) for seat in plan.seats]
    points += [(label.x, label.y) for label in plan.row_labels]
    for area in plan.areas:
        points += outline(area)
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def outline(area: Area) -> list[tuple[float, float]]:
    """Corners of a box around the area, rotated with it, absolute."""
    geometry = area.geometry
    if area.shape == "rectangle":
        width, height = geometry["width"], geometry["height"]
        corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
    elif area.shape in ("circle", "ellipse"):
        rx, ry = (geometry["rx"], geometry["ry"]) if area.shape == "ellipse" else (geometry["radius"],) * 2
        corners = [(-rx, -ry), (rx, -ry), (rx, ry), (-rx, ry)]
    elif area.shape == "polygon":
        corners = [(x, y) for x, y in geometry["points"]]
    else:
        corners = [(0.0, 0.0)]
    angle = math.radians(area.rotation)
    cos, sin = math.cos(angle), math.sin(angle)
    return [(area.x + x * cos - y * sin, area.y + x * sin + y * cos) for x, y in corners]
