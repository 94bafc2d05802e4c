"""Seats beside each other: what a party of two to four looks for on the map. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from core.seats.board import SeatState

#: Two seats are neighbours when they stand no further apart than this many times the row's least distance: an aisle
#: is wider.
_APART = 1.5
#: Rows looked at before a party gives up on sitting together.
_ROWS_TRIED = 40


def benches(seats: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """The plan's rows as lists of ordinals beside each other, cut at aisles. `seats`: of `GET .../plan`."""
    rows: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for seat in seats:
        rows.setdefault((seat["zone"], seat["row"]), []).append(seat)
    found: list[list[int]] = []
    for row in rows.values():
        gaps = [math.dist((a["x"], a["y"]), (b["x"], b["y"])) for a, b in pairwise(row)]
        widest = _APART * min((gap for gap in gaps if gap > 0), default=0.0)
        bench = [row[0]["ordinal"]]
        for seat, gap in zip(row[1:], gaps, strict=True):
            if gap > widest:
                found.append(bench)
                bench = []
            bench.append(seat["ordinal"])
        found.append(bench)
    return found


def pick_together(rows: Sequence[Sequence[int]], states: Sequence[int], wanted: int) -> list[int]:
    """`wanted` free seats beside each other in some row, nearest to its middle; empty when none was found."""
    for _ in range(_ROWS_TRIED):
        row = random.choice(rows)
        runs = [
            first
            for first in range(len(row) - wanted + 1)
            if all(states[ordinal] == SeatState.AVAILABLE for ordinal in row[first : first + wanted])
        ]
        if runs:
            middle = (len(row) - wanted) / 2
            best = min(runs, key=lambda first: abs(first - middle))
            return list(row[best : best + wanted])
    return []
