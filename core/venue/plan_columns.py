"""A seat plan in columns: the body of `GET /api/events/{slug}/plan/columns`, described in docs/plan-columns.md.

Numbers that follow from those before them are near 0 here, so that a compressor makes them very short.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import orjson

from core.venue.plan_body import shown_areas, shown_categories
from core.venue.seat_plan import SeatPlan

#: Grows when a reader of the last format would draw something wrong.
FORMAT: Final = 1

#: Positions are exact to this part of a usual seat's radius.
_EXACT: Final = 1 / 40


def plan_columns(plan: SeatPlan, prices: Mapping[str, int]) -> bytes:
    """JSON with the members of docs/plan-columns.md; seats in ordinal order, without their guids."""
    seats = plan.seats
    categories = shown_categories(plan, prices)
    zones = {name: index for index, name in enumerate(plan.zones)}
    category = {one["name"]: index for index, one in enumerate(categories)}
    rows, numbers = _Labels(), _Labels()
    lines = [(zones[zone], rows.of(row), len(list(run))) for (zone, row), run in _lines(plan)]
    unit = _unit(plan)
    body: dict[str, Any] = {
        "format": FORMAT,
        "name": plan.name,
        "width": round(plan.width, 2),
        "height": round(plan.height, 2),
        "categories": categories,
        "zones": plan.zones,
        "areas": shown_areas(plan),
        "row_labels": {
            "text": [label.text for label in plan.row_labels],
            "x": _differences(_steps((label.x for label in plan.row_labels), unit)),
            "y": _differences(_steps((label.y for label in plan.row_labels), unit)),
        },
        "seats": len(seats),
        "unit": unit,
        "lines": {
            "zone": [zone for zone, _, _ in lines],
            "row": _differences(row for _, row, _ in lines),
            "seats": [count for _, _, count in lines],
        },
        "x": _bends(_steps((seat.x for seat in seats), unit)),
        "y": _bends(_steps((seat.y for seat in seats), unit)),
        "radius": _runs(_steps((seat.radius for seat in seats), unit)),
        "category": _runs(category[seat.category] for seat in seats),
        "number": _differences(numbers.of(seat.number) for seat in seats),
        "accessible": _differences(ordinal for ordinal, seat in enumerate(seats) if seat.accessible),
    }
    body["rows"] = rows.texts
    body["numbers"] = numbers.texts
    return orjson.dumps(body)


class _Labels:
    """Texts in the order in which they come first; each once."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}

    def of(self, text: str) -> int:
        return self._index.setdefault(text, len(self._index))

    @property
    def texts(self) -> list[str]:
        return list(self._index)


def _lines(plan: SeatPlan) -> Iterable[tuple[tuple[str, str], Iterable[Any]]]:
    """Seats that follow on each other in the same zone and row."""
    return groupby(plan.seats, key=lambda seat: (seat.zone, seat.row))


def _unit(plan: SeatPlan) -> float:
    """Plan units of one step: 1, 2 or 5 times a power of ten that is small beside a seat."""
    radii = sorted(seat.radius for seat in plan.seats if seat.radius > 0)
    wanted = (radii[len(radii) // 2] if radii else 10.0) * _EXACT
    power = math.floor(math.log10(wanted))
    leading = max(one for one in (1, 2, 5) if one * 10.0**power <= wanted * (1 + 1e-9))
    # Divided where it is a fraction: 0.2 is 0.2, and not what twice a tenth is in binary.
    return leading * 10.0**power if power >= 0 else leading / 10.0**-power


def _steps(lengths: Iterable[float], unit: float) -> list[int]:
    return [round(length / unit) for length in lengths]


def _differences(values: Iterable[int]) -> list[int]:
    """The first as it is, each other one as what it is more than the one before."""
    found, before = [], 0
    for value in values:
        found.append(value - before)
        before = value
    return found


def _bends(values: Sequence[int]) -> list[int]:
    """Differences of the differences: 0 for a seat that stands as far from its neighbour as that one from its own."""
    return _differences(_differences(values))


def _runs(values: Iterable[int]) -> list[int]:
    """Each value followed by how often it comes in a row."""
    return [part for value, run in groupby(values) for part in (value, len(list(run)))]
