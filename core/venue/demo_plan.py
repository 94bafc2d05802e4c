"""The demonstration hall: curved stalls around a stage, a balcony behind, boxes at the sides.

`python -m core.venue.demo_plan > core/venue/demo_plan.json` writes it as a seating plan file; a test keeps the
file and this generator in step. All lengths are plan units; a seat is 20 wide and stands 26 from its neighbour.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

#: The committed file with this generator's output.
DEMO_PLAN = Path(__file__).with_name("demo_plan.json")

#: The demonstration event's price of each category, in won.
DEMO_PRICES = {"VIP": 150_000, "Standard": 99_000, "Balcony": 66_000, "Wheelchair": 66_000}

_COLORS = {"VIP": "#8e44ad", "Standard": "#1f77b4", "Balcony": "#2a9d6f", "Wheelchair": "#d98c10"}

_PITCH = 26.0
_ROW_PITCH = 32.0
_AISLE = 56.0
_WIDTH, _HEIGHT = 2560.0, 1680.0
# Rows are arcs about one point behind the stage.
_CENTRE = (_WIDTH / 2, 120.0)


@dataclass(frozen=True)
class _Block:
    """A wedge of rows between two angles (degrees from straight ahead, positive to the right of the picture)."""

    key: str
    name: str
    left: float
    right: float
    first_radius: float
    rows: int
    labels: str


_STALLS = (
    _Block("SL", "Stalls left", -52, -18, 330, 20, "both"),
    _Block("SC", "Stalls centre", -18, 18, 330, 20, ""),
    _Block("SR", "Stalls right", 18, 52, 330, 20, "both"),
)
_BALCONY = (
    _Block("BL", "Balcony left", -56, -28, 1140, 12, "both"),
    _Block("BCL", "Balcony centre left", -28, 0, 1140, 12, "end"),
    _Block("BCR", "Balcony centre right", 0, 28, 1140, 12, ""),
    _Block("BR", "Balcony right", 28, 56, 1140, 12, "both"),
)
_VIP_ROWS = 6
# The wheelchair places are in the cross aisle behind the stalls, reached without a step.
_WHEELCHAIR_RADIUS = 330 + 20 * _ROW_PITCH + 24
_WHEELCHAIR_PLACES = 4
_WHEELCHAIR_PITCH = 44.0


def demo_plan() -> dict[str, Any]:
    """The plan in the seating plan format, as `plan_import` reads it."""
    return {
        "name": "Onsale Hall",
        "size": {"width": _WIDTH, "height": _HEIGHT},
        "categories": [{"name": name, "color": color} for name, color in _COLORS.items()],
        "zones": [
            *(_zone(block, _stalls_rows(block), _stage() if block.key == "SC" else []) for block in _STALLS),
            *(_boxes(side) for side in (-1, 1)),
            *(_zone(block, _balcony_rows(block), _balcony_front() if block.key == "BCL" else []) for block in _BALCONY),
        ],
    }


def demo_plan_json() -> bytes:
    """What the committed file contains."""
    return orjson.dumps(demo_plan(), option=orjson.OPT_APPEND_NEWLINE)


def _zone(block: _Block, rows: list[dict[str, Any]], areas: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": block.name,
        "zone_id": block.key,
        "uuid": _uuid(block.key),
        "position": {"x": 0, "y": 0},
        "rows": rows,
        "areas": areas,
    }


def _stalls_rows(block: _Block) -> list[dict[str, Any]]:
    rows = [
        _row(
            block.key,
            str(index + 1),
            _arc(block, block.first_radius + index * _ROW_PITCH, _PITCH),
            category="VIP" if index < _VIP_ROWS else "Standard",
            labels=block.labels,
        )
        for index in range(block.rows)
    ]
    places = _centred(list(_arc(block, _WHEELCHAIR_RADIUS, _WHEELCHAIR_PITCH)), _WHEELCHAIR_PLACES)
    rows.append(_row(block.key, "W", places, category="Wheelchair", labels="", radius=14.0))
    return rows


def _balcony_rows(block: _Block) -> list[dict[str, Any]]:
    return [
        _row(
            block.key,
            str(index + 1),
            _arc(block, block.first_radius + index * _ROW_PITCH, _PITCH),
            category="Balcony",
            labels=block.labels,
        )
        for index in range(block.rows)
    ]


def _boxes(side: int) -> dict[str, Any]:
    """Six boxes of two rows of three along one wall; `side` is -1 (left) or 1."""
    key, name = ("XL", "Boxes left") if side < 0 else ("XR", "Boxes right")
    rows: list[dict[str, Any]] = []
    areas: list[dict[str, Any]] = []
    for box in range(6):
        x, y = _WIDTH / 2 + side * (900 + 14 * box), 120.0 + 108 * box
        places = [(x + (seat - 1) * _PITCH, y + line * 30) for line in range(2) for seat in range(3)]
        rows.append(_row(key, f"Box {box + 1}", places, category="VIP", labels=""))
        areas.append(
            {
                "uuid": _uuid(f"{key}-box-{box}"),
                "shape": "rectangle",
                "color": "#efe9f4",
                "border_color": "#b79fc6",
                "rotation": 0,
                "position": {"x": round(x - 46, 1), "y": round(y - 22, 1)},
                "rectangle": {"width": 92, "height": 74},
                "text": {"text": "", "color": "#5b4668", "size": 14, "position": {"x": 46, "y": 37}},
            }
        )
    return {
        "name": name,
        "zone_id": key,
        "uuid": _uuid(key),
        "position": {"x": 0, "y": 0},
        "rows": rows,
        "areas": areas,
    }


def _row(
    zone: str,
    number: str,
    points: Sequence[tuple[float, float]] | Iterator[tuple[float, float]],
    *,
    category: str,
    labels: str,
    radius: float = 10.0,
) -> dict[str, Any]:
    """A row at its first seat's point; the seats' positions are relative to it."""
    places = list(points)
    x, y = (round(value, 1) for value in places[0])
    seats = []
    for index, place in enumerate(places, start=1):
        guid = f"{zone}-{number.replace(' ', '')}-{index}"
        seats.append(
            {
                "seat_guid": guid,
                "uuid": _uuid(guid),
                "seat_number": str(index),
                "category": category,
                "radius": radius,
                "position": {"x": round(place[0] - x, 1), "y": round(place[1] - y, 1)},
            }
        )
    return {
        "uuid": _uuid(f"{zone}-{number}"),
        "row_number": number,
        "row_number_position": labels,
        "position": {"x": x, "y": y},
        "seats": seats,
    }


def _arc(block: _Block, radius: float, pitch: float) -> Iterator[tuple[float, float]]:
    """Points `pitch` apart on the block's arc, centred between its aisles, from left to right."""
    left, right = math.radians(block.left) * radius + _AISLE / 2, math.radians(block.right) * radius - _AISLE / 2
    count = int((right - left) // pitch) + 1
    start = (left + right) / 2 - (count - 1) * pitch / 2
    for index in range(count):
        angle = (start + index * pitch) / radius
        yield _CENTRE[0] + radius * math.sin(angle), _CENTRE[1] + radius * math.cos(angle)


def _centred(points: list[tuple[float, float]], count: int) -> list[tuple[float, float]]:
    first = (len(points) - count) // 2
    return points[first : first + count]


def _stage() -> list[dict[str, Any]]:
    x, y = _CENTRE
    front = [(x + 270 * math.sin(math.radians(a)), y + 270 * math.cos(math.radians(a))) for a in range(-60, 61, 5)]
    back = [(x + 234, 40.0), (x - 234, 40.0)]
    return [
        {
            "uuid": _uuid("stage"),
            "shape": "polygon",
            "color": "#e8e4dc",
            "border_color": "#9a9182",
            "rotation": 0,
            "position": {"x": 0, "y": 0},
            "polygon": {"points": [{"x": round(px, 1), "y": round(py, 1)} for px, py in front + back]},
            "text": {"text": "STAGE · 무대", "color": "#4a453c", "size": 36, "position": {"x": x, "y": 200}},
        },
        {
            "uuid": _uuid("desk"),
            "shape": "rectangle",
            "color": "#dddddd",
            "border_color": "#999999",
            "rotation": 0,
            "position": {"x": x - 90, "y": y + _WHEELCHAIR_RADIUS + 32},
            "rectangle": {"width": 180, "height": 40},
            "text": {"text": "Sound", "color": "#555555", "size": 18, "position": {"x": 90, "y": 20}},
        },
    ]


def _balcony_front() -> list[dict[str, Any]]:
    """The balcony's rail, a thin band along its first row."""
    x, y = _CENTRE

    def rail(radius: float, angles: range) -> list[tuple[float, float]]:
        return [(x + radius * math.sin(math.radians(a)), y + radius * math.cos(math.radians(a))) for a in angles]

    outline = rail(1108, range(-56, 57, 4)) + rail(1100, range(56, -57, -4))
    return [
        {
            "uuid": _uuid("rail"),
            "shape": "polygon",
            "color": "#c9c2b4",
            "border_color": "#9a9182",
            "rotation": 0,
            "position": {"x": 0, "y": 0},
            "polygon": {"points": [{"x": round(px, 1), "y": round(py, 1)} for px, py in outline]},
            "text": {"text": "", "color": "#4a453c", "size": 16, "position": {"x": 0, "y": 0}},
        },
    ]


def _uuid(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"onsale-hall/{name}"))


if __name__ == "__main__":
    sys.stdout.buffer.write(demo_plan_json())
