"""The demonstration hall: the committed file is what the generator makes, and it is a hall that one could sit in."""

from __future__ import annotations

import math

from core.venue.demo_plan import DEMO_PLAN, DEMO_PRICES, demo_plan_json
from core.venue.plan_import import load_plan, seats_by_category

PLAN = load_plan(DEMO_PLAN.read_bytes())


def test_the_committed_file_is_what_the_generator_makes() -> None:
    """`make docs` writes it."""
    assert DEMO_PLAN.read_bytes() == demo_plan_json()


def test_it_is_a_hall_as_asked_for() -> None:
    """About 2,000 seats, several zones, a balcony, four categories, wheelchair places, a stage."""
    assert 1900 <= len(PLAN.seats) <= 2100
    assert len(PLAN.zones) >= 6
    assert any("Balcony" in zone for zone in PLAN.zones)
    counts = seats_by_category(PLAN)
    assert len(counts) == 4
    assert min(counts.values()) > 0
    assert sum(seat.accessible for seat in PLAN.seats) == counts["Wheelchair"]
    assert any("STAGE" in area.text for area in PLAN.areas)
    assert PLAN.row_labels
    assert set(DEMO_PRICES) == set(counts)


def test_rows_are_curved() -> None:
    row = [seat for seat in PLAN.seats if (seat.zone, seat.row) == ("Stalls centre", "20")]
    middle = row[len(row) // 2]
    assert middle.y - row[0].y > 20


def test_no_two_seats_overlap_and_all_are_inside() -> None:
    cell = 40.0
    by_cell: dict[tuple[int, int], list[int]] = {}
    for index, seat in enumerate(PLAN.seats):
        assert seat.radius <= seat.x <= PLAN.width - seat.radius
        assert seat.radius <= seat.y <= PLAN.height - seat.radius
        by_cell.setdefault((int(seat.x // cell), int(seat.y // cell)), []).append(index)
    for (column, line), members in by_cell.items():
        near = [i for dx in (-1, 0, 1) for dy in (-1, 0, 1) for i in by_cell.get((column + dx, line + dy), ())]
        for index in members:
            one = PLAN.seats[index]
            for other in near:
                if other > index:
                    two = PLAN.seats[other]
                    assert math.hypot(one.x - two.x, one.y - two.y) >= one.radius + two.radius, (one.guid, two.guid)


def test_no_two_places_have_the_same_name() -> None:
    assert len({(seat.zone, seat.row, seat.number) for seat in PLAN.seats}) == len(PLAN.seats)
