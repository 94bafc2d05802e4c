"""Halls of any size for measuring the page: a theatre before a stage, and a bowl around a field.

Of 60,000 seats the bowl has 108 blocks.

Rows are curved and seats stand at places with two decimals, as plan editors write them: nothing that a compressor would
find easier than a real plan.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

#: The categories' prices, in won.
PRICES: Final = {"Field": 180_000, "Club": 150_000, "Middle": 110_000, "Upper": 66_000}
_COLORS: Final = {"Field": "#b23a48", "Club": "#8e44ad", "Middle": "#1f77b4", "Upper": "#2a9d6f"}

_PITCH: Final = 24.0
_ROW: Final = 27.0
_BLOCK: Final = 556
_GAP: Final = 30.0  # on each side of a block
_BETWEEN: Final = 120.0  # one tier and the next


def hall_of(seats: int) -> bytes:
    """A seating plan file with about so many seats: a theatre up to 5,000, a bowl above."""
    plan = _theatre(seats) if seats <= 5000 else _bowl(seats)
    return json.dumps(plan).encode()


def _theatre(seats: int) -> dict[str, Any]:
    """Three blocks of stalls and two balconies, in arcs before a stage."""
    zones, count, row = [], 0, 0
    blocks = [("Stalls left", -52, -18), ("Stalls centre", -17, 17), ("Stalls right", 18, 52)]
    balconies = [("Balcony left", -48, -1), ("Balcony right", 1, 48)]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name, _, _ in blocks + balconies}
    while count < seats:
        upstairs = count > seats * 0.7
        radius = 320 + row * _ROW + (150 if upstairs else 0)
        for name, left, right in balconies if upstairs else blocks:
            category = "Upper" if upstairs else "Club" if row < 6 else "Middle"
            line = _arc((1500.0, 0.0), radius, 1.0, math.radians(90 - right), math.radians(90 - left), category)
            rows[name].append(_row(line, len(rows[name]) + 1))
            count += len(line)
        row += 1
    for name, lines in rows.items():
        zones.append({"name": name, "position": {"x": 0, "y": 0}, "rows": lines, "areas": []})
    zones[0]["areas"] = [
        {
            "shape": "rectangle",
            "color": "#dddddd",
            "border_color": "#888888",
            "rotation": 0,
            "position": {"x": 1300, "y": 40},
            "rectangle": {"width": 400, "height": 130},
            "text": {"position": {"x": 200, "y": 65}, "color": "#333333", "text": "STAGE", "size": 40},
        }
    ]
    return _plan("Theatre", zones)


def _bowl(seats: int) -> dict[str, Any]:
    """Three tiers of blocks around a field, as many as make blocks of about 550 seats."""
    around = max(6, round(seats / _BLOCK / 3))
    depth = [20, 20, 22]
    inner = 420.0
    while _seats_of(inner, around, depth) < seats:
        inner += 10
    zones, radius = [], inner
    for tier, rows in enumerate(depth):
        category = ("Field", "Middle", "Upper")[tier]
        for block in range(around):
            left = 2 * math.pi * block / around + _GAP / radius
            right = 2 * math.pi * (block + 1) / around - _GAP / radius
            lines = [
                _row(
                    _arc(
                        (4000.0, 4000.0),
                        radius + k * _ROW,
                        1.3,
                        left,
                        right,
                        "Club" if tier == 1 and k < 5 else category,
                    ),
                    k + 1,
                )
                for k in range(rows)
            ]
            name = f"Block {(tier + 1) * 100 + block + 1}"
            zones.append({"name": name, "position": {"x": 0, "y": 0}, "rows": lines, "areas": []})
        radius += rows * _ROW + _BETWEEN
    zones[0]["areas"] = [
        {
            "shape": "ellipse",
            "color": "#cfe8cf",
            "border_color": "#888888",
            "rotation": 0,
            "position": {"x": 4000, "y": 4000},
            "ellipse": {"radius": {"x": inner * 1.15, "y": inner * 0.85}},
            "text": {"position": {"x": 0, "y": 0}, "color": "#333333", "text": "FIELD", "size": inner / 6},
        }
    ]
    return _plan("Stadium", zones)


def _seats_of(inner: float, around: int, depth: list[int]) -> int:
    count, radius = 0, inner
    for rows in depth:
        angle = 2 * math.pi / around - 2 * _GAP / radius
        count += around * sum(int(angle * (radius + k * _ROW) * 1.15 / _PITCH) for k in range(rows))
        radius += rows * _ROW + _BETWEEN
    return count


def _arc(
    centre: tuple[float, float], radius: float, wide: float, left: float, right: float, category: str
) -> list[dict[str, Any]]:
    """Seats side by side between two angles of an ellipse that is `wide` times as wide as it is high."""
    length = (right - left) * radius * (1 + wide) / 2
    count = max(3, int(length / _PITCH))
    places = [left + (right - left) * (n + 0.5) / count for n in range(count)]
    return [
        {
            "seat_number": str(n + 1),
            "category": category,
            "position": {
                "x": round(centre[0] + radius * wide * math.cos(at), 2),
                "y": round(centre[1] + radius * math.sin(at), 2),
            },
        }
        for n, at in enumerate(places)
    ]


def _row(seats: list[dict[str, Any]], number: int) -> dict[str, Any]:
    return {
        "row_number": str(number),
        "row_number_position": "start",
        "position": {"x": 0, "y": 0},
        "seats": seats,
    }


def _plan(name: str, zones: list[dict[str, Any]]) -> dict[str, Any]:
    for z, zone in enumerate(zones):
        for r, row in enumerate(zone["rows"]):
            for s, seat in enumerate(row["seats"]):
                seat["seat_guid"] = f"{z:04x}{r:04x}-7d3e-4b61-9c{s:02x}-{(z * 7919 + r * 104729 + s * 1299709):012x}"
    return {
        "name": name,
        "categories": [{"name": category, "color": color} for category, color in _COLORS.items()],
        "zones": zones,
        "size": {"width": 8000, "height": 8000},
    }
