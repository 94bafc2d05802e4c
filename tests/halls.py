"""Plans of any shape, and what must be true of best seats: for the rule, its script and the benchmark."""

from __future__ import annotations

import math
from collections.abc import Sequence

import hypothesis.strategies as st

from core.seats.best_seats import Hall, Wish
from core.venue.seat_plan import Area, Category, Seat, SeatPlan

CATEGORIES = ("Best", "Good", "Wheelchair")


def plan_of(rows: Sequence[Sequence[tuple[float, float, str]]], *, areas: Sequence[Area] = ()) -> SeatPlan:
    """Rows of (x, y, category); two zones, one after the other."""
    seats = [
        Seat(
            guid=f"{line}-{n}",
            zone="Left" if line < len(rows) / 2 else "Right",
            row=str(line + 1),
            number=str(n + 1),
            category=category,
            x=x,
            y=y,
            radius=10.0,
            accessible=category == "Wheelchair",
            line=line,
        )
        for line, row in enumerate(rows)
        for n, (x, y, category) in enumerate(row)
    ]
    return SeatPlan(
        name="Hall",
        width=1000.0,
        height=1000.0,
        categories=tuple(Category(name, "#336699") for name in CATEGORIES),
        zones=tuple(dict.fromkeys(seat.zone for seat in seats)),
        seats=tuple(seats),
        areas=tuple(areas),
    )


def hall_plan(seats: int, row: int = 20, aisle: int = 0) -> SeatPlan:
    """A hall of straight rows before a stage, each with an aisle after `aisle` seats (0: none)."""
    return plan_of(
        [
            [(25.0 * n + (40.0 if aisle and n >= aisle else 0.0), 30.0 * (first // row), "Best") for n in range(row)]
            for first in range(0, seats, row)
        ],
        areas=[Area("text", 0, 0, text="STAGE", text_x=25.0 * (row - 1) / 2, text_y=-50.0)],
    )


@st.composite
def plans(draw: st.DrawFn) -> SeatPlan:
    """Rows straight or curved, listed in any order, with aisles, several categories and wheelchair places."""
    rows = []
    for line in range(draw(st.integers(1, 6))):
        count = draw(st.integers(1, 12))
        gaps = [draw(st.sampled_from([25.0, 25.0, 25.0, 80.0])) for _ in range(count)]
        kinds = draw(st.lists(st.sampled_from(CATEGORIES[:2] * 3 + CATEGORIES[2:]), min_size=count, max_size=count))
        if draw(st.booleans()):
            kinds = [kinds[0]] * count
        bend = draw(st.sampled_from([0.0, 0.0, 0.002]))
        at, row = 0.0, []
        for gap, kind in zip(gaps, kinds, strict=True):
            row.append((at * math.cos(at * bend), 40.0 * line + at * math.sin(at * bend), kind))
            at += gap
        order = draw(st.sampled_from(["listed", "backwards", "jumping"]))
        if order == "backwards":
            row.reverse()
        elif order == "jumping":
            row = row[::2] + row[1::2]
        rows.append(row)
    return plan_of(rows)


def wishes(most: int = 6) -> st.SearchStrategy[Wish]:
    return st.builds(
        Wish,
        count=st.integers(1, most),
        category=st.none() | st.sampled_from(CATEGORIES),
        zone=st.none() | st.just("Right"),
        accessible=st.booleans(),
    )


def single_seats(hall: Hall, states: bytes) -> set[int]:
    """Free seats with no free neighbour in their run, that are no wheelchair places."""
    single = set()
    for run in hall.runs:
        if run.accessible:
            continue
        free = [states[seat] == 0 for seat in run.seats]
        for n, seat in enumerate(run.seats):
            if free[n] and not (n and free[n - 1]) and not (n + 1 < len(free) and free[n + 1]):
                single.add(seat)
    return single
