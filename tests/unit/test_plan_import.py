"""Seat plans: what loads, and where it lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.venue.plan_body import plan_body
from core.venue.plan_import import load_plan, seats_by_category
from core.venue.seat_plan import RowLabel
from tests.unit.plan_documents import data, plan, seat

HALL = Path(__file__).parents[1] / "data" / "riethsporthalle.json"


# What loads


def test_a_real_hall_loads() -> None:
    loaded = load_plan(HALL.read_bytes())
    assert len(loaded.seats) == 1231
    assert seats_by_category(loaded) == {"Kategorie I": 300, "Kategorie II": 850, "VIP": 81}
    assert len({seat.guid for seat in loaded.seats}) == 1231
    assert loaded.zones == ("Block D", "Block E", "Block F", "Block A", "Block B", "Block C")
    (field,) = loaded.areas
    assert (field.shape, field.text, field.geometry) == ("rectangle", "Spielfeld", {"width": 2100, "height": 240})


def test_positions_add_up_along_zone_row_and_seat() -> None:
    loaded = load_plan(data(plan()))
    assert [(one.guid, one.x, one.y) for one in loaded.seats] == [
        ("s1", 110, 55),
        ("s2", 135, 55.5),
        ("s3", 110, 85),
        ("b1", 100, 200),
        ("b2", 100, 200),
    ]
    assert [(one.zone, one.row, one.number) for one in loaded.seats][:3] == [
        ("Stalls", "1", "1"),
        ("Stalls", "1", "2"),
        ("Stalls", "2", "3"),
    ]
    assert [one.radius for one in loaded.seats] == [10, 10, 8, 10, 10]
    assert (loaded.width, loaded.height) == (500, 400)


def test_row_labels_stand_one_seat_beyond_the_ends() -> None:
    straight = plan()
    straight["zones"][0]["rows"][0]["seats"][1]["position"]["y"] = 0
    assert load_plan(data(straight)).row_labels == (RowLabel("1", 85, 55), RowLabel("1", 160, 55))


def test_the_older_form_of_areas_loads() -> None:
    old = plan()
    old["zones"][0]["areas"] = [
        {
            "color": "#eee",
            "border_color": "#333",
            "width": 80,
            "height": 20,
            "position": {"x": 1, "y": 2},
            "rotation": 0,
            "text": "Stage",
        }
    ]
    (area,) = load_plan(data(old)).areas
    assert (area.shape, area.x, area.y, area.geometry) == ("rectangle", 101, 52, {"width": 80, "height": 20})
    assert (area.text, area.color, area.border_color) == ("Stage", "#eee", "#333")


def test_the_editors_newer_shapes_load() -> None:
    def area(shape: str, **part: Any) -> dict[str, Any]:
        return {
            "shape": shape,
            "position": {"x": 10, "y": 20},
            "color": "purple",
            "rotation": 45,
            "uuid": "u",
            "text": {"text": shape, "color": "#111", "size": 24, "position": {"x": 3, "y": 4}},
            **part,
        }

    new = plan()
    new["zones"][0]["areas"] = [
        area("rectangle", rectangle={"width": 50, "height": 20}),
        area("circle", circle={"radius": 30}),
        area("ellipse", ellipse={"radius": {"x": 40, "y": 20}}),
        area("polygon", polygon={"points": [{"x": 0, "y": 0}, {"x": 50, "y": 0}, {"x": 25, "y": 40.5}]}),
        area("text"),
    ]
    areas = load_plan(data(new)).areas
    assert [one.geometry for one in areas] == [
        {"width": 50, "height": 20},
        {"radius": 30},
        {"rx": 40, "ry": 20},
        {"points": [[0, 0], [50, 0], [25, 40.5]]},
        {},
    ]
    assert {(one.x, one.y, one.rotation, one.text_x, one.text_y, one.text_size) for one in areas} == {
        (110, 70, 45, 113, 74, 24)
    }
    assert [one.text for one in areas] == ["rectangle", "circle", "ellipse", "polygon", "text"]


def test_numbers_and_nulls_where_editors_write_them() -> None:
    loose = plan()
    loose["zones"][0]["rows"][0] |= {"row_number": 12, "row_number_position": None}
    loose["zones"][0]["rows"][0]["seats"][0] |= {"seat_number": 7, "radius": None}
    loose["zones"][1] |= {"name": None, "zone_id": "balc", "areas": None}
    loose["zones"][1]["rows"][0] |= {"row_number": "", "row_label": "Row %s"}
    first, *_, last = load_plan(data(loose)).seats
    assert (first.row, first.number, last.zone, last.row) == ("12", "7", "balc", "Row")


def test_a_plan_without_size_gets_one_from_its_seats() -> None:
    sizeless = plan()
    del sizeless["size"]
    for zone in sizeless["zones"]:
        zone["position"]["x"] -= 1000
    loaded = load_plan(data(sizeless))
    assert min(one.x - one.radius for one in loaded.seats) >= 0
    assert max(one.x + one.radius for one in loaded.seats) <= loaded.width
    assert max(one.y + one.radius for one in loaded.seats) <= loaded.height
    assert loaded.seats[1].x - loaded.seats[0].x == 25


def test_a_size_too_small_for_the_seats_is_enlarged() -> None:
    """A seat outside the drawing could not be bought."""
    loaded = load_plan(data(plan(size={"width": 50, "height": 50})))
    assert all(0 <= one.x <= loaded.width and 0 <= one.y <= loaded.height for one in loaded.seats)


@pytest.mark.parametrize(
    ("category", "accessible"),
    [
        ("Wheelchair", True),
        ("Rollstuhlplätze", True),
        ("휠체어석", True),
        ("Wheelchair companion", True),
        ("Balcony", False),
    ],
)
def test_accessible_places_are_known_by_their_category(category: str, accessible: bool) -> None:
    named = plan(categories=[{"name": "A"}, {"name": "B"}, {"name": category}])
    named["zones"][0]["rows"][0]["seats"][0]["category"] = category
    loaded = load_plan(data(named))
    assert [one.accessible for one in loaded.seats] == [accessible, False, False, False, False]
    body = json.loads(plan_body(loaded, {"A": 1, "B": 1, category: 1}))
    assert [one.get("accessible", False) for one in body["seats"]] == [accessible, False, False, False, False]


def test_categories_without_a_colour_get_different_ones() -> None:
    loaded = load_plan(data(plan(categories=[{"name": "A"}, {"name": "B", "color": ""}])))
    first, second = (category.color for category in loaded.categories)
    assert first.startswith("#")
    assert first != second


def test_a_byte_order_mark_is_no_error() -> None:
    assert load_plan(b"\xef\xbb\xbf" + data(plan())).name == "Hall"


# What does not


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=30),
    st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
)
def test_distances_between_seats_survive_the_import(
    points: list[tuple[float, float]], zone: tuple[float, float]
) -> None:
    document = plan(size=None)
    document["zones"] = [
        {
            "name": "Z",
            "position": {"x": zone[0], "y": zone[1]},
            "rows": [
                {
                    "row_number": "1",
                    "seats": [seat(f"s{n}", position={"x": x, "y": y}) for n, (x, y) in enumerate(points)],
                }
            ],
        }
    ]
    loaded = load_plan(data(document)).seats
    for one, (x, y) in zip(loaded, points, strict=True):
        assert one.x - loaded[0].x == pytest.approx(x - points[0][0], abs=1e-3)
        assert one.y - loaded[0].y == pytest.approx(y - points[0][1], abs=1e-3)
