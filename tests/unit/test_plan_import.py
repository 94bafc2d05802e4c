"""Seat plans: what loads, where it lies, and every error with its place in the file."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import PlanInvalid
from core.venue.plan_body import plan_body
from core.venue.plan_document import MAX_BYTES, MAX_CONTAINERS, MAX_DEPTH
from core.venue.plan_import import MAX_SEATS, load_plan, seats_by_category
from core.venue.plan_problems import MAX_LISTED, json_path
from core.venue.seat_plan import RowLabel

HALL = Path(__file__).parents[1] / "data" / "riethsporthalle.json"


def seat(guid: str, **changes: Any) -> dict[str, Any]:
    return {"seat_guid": guid, "seat_number": guid[-1], "position": {"x": 0, "y": 0}, "category": "A", **changes}


def plan(**changes: Any) -> dict[str, Any]:
    """Two zones, three rows, five seats."""
    return {
        "name": "Hall",
        "size": {"width": 500, "height": 400},
        "categories": [{"name": "A", "color": "#ff0000"}, {"name": "B", "color": "#00ff00"}],
        "zones": [
            {
                "name": "Stalls",
                "position": {"x": 100, "y": 50},
                "rows": [
                    {
                        "row_number": "1",
                        "row_number_position": "both",
                        "position": {"x": 10, "y": 5},
                        "seats": [seat("s1"), seat("s2", position={"x": 25, "y": 0.5})],
                    },
                    {"row_number": "2", "position": {"x": 10, "y": 35}, "seats": [seat("s3", category="B", radius=8)]},
                ],
                "areas": [],
            },
            {
                "name": "Balcony",
                "position": {"x": 100, "y": 200},
                "rows": [{"row_number": "1", "position": {"x": 0, "y": 0}, "seats": [seat("b1"), seat("b2")]}],
                "areas": [],
            },
        ],
        **changes,
    }


def data(document: Any) -> bytes:
    return json.dumps(document).encode()


def errors_of(document: Any) -> list[tuple[str, str]]:
    with pytest.raises(PlanInvalid) as caught:
        load_plan(document if isinstance(document, bytes) else data(document))
    return [(found["at"], found["message"]) for found in caught.value.data["errors"]]


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


Change = Callable[[dict[str, Any]], None]


def at(*path: str | int, value: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        target: Any = document
        for part in path[:-1]:
            target = target[part]
        target[path[-1]] = value

    return change


def without(*path: str | int) -> Change:
    def change(document: dict[str, Any]) -> None:
        target: Any = document
        for part in path[:-1]:
            target = target[part]
        del target[path[-1]]

    return change


SEAT = ("zones", 0, "rows", 1, "seats", 0)
AREA = {"position": {"x": 0, "y": 0}}


@pytest.mark.parametrize(
    ("change", "place", "said"),
    [
        (without("zones"), "zones", "is missing"),
        (without("categories"), "categories", "is missing"),
        (without("zones", 1, "position"), "zones[1].position", "is missing"),
        (without("zones", 1, "rows", 0, "seats"), "zones[1].rows[0].seats", "is missing"),
        (without(*SEAT, "seat_guid"), "zones[0].rows[1].seats[0].seat_guid", "is missing"),
        (without(*SEAT, "position", "y"), "zones[0].rows[1].seats[0].position.y", "is missing"),
        (at(*SEAT, "seat_guid", value=""), "zones[0].rows[1].seats[0].seat_guid", "is empty"),
        (at(*SEAT, "seat_guid", value="b2"), "zones[1].rows[0].seats[1].seat_guid", "zones[0].rows[1].seats[0]"),
        (
            at(*SEAT, "category", value="C"),
            "zones[0].rows[1].seats[0].category",
            "no category 'C' (there are: 'A', 'B')",
        ),
        (at(*SEAT, "category", value=None), "zones[0].rows[1].seats[0].category", "must be text"),
        (at(*SEAT, "position", "x", value="12"), "zones[0].rows[1].seats[0].position.x", "must be a valid number"),
        (at(*SEAT, "position", "x", value=True), "zones[0].rows[1].seats[0].position.x", "must be a valid number"),
        (
            at(*SEAT, "position", "x", value=1e7),
            "zones[0].rows[1].seats[0].position.x",
            "less than or equal to 1000000",
        ),
        (at(*SEAT, "position", value=[1, 2]), "zones[0].rows[1].seats[0].position", "must be an object"),
        (at(*SEAT, value="s3"), "zones[0].rows[1].seats[0]", "must be an object"),
        (at(*SEAT, "seat_number", value="\x07"), "zones[0].rows[1].seats[0].seat_number", "cannot be printed"),
        (at(*SEAT, "seat_number", value="\x00"), "zones[0].rows[1].seats[0].seat_number", "NUL"),
        (at("zones", value={}), "zones", "must be a valid list"),
        (at("zones", value=[]), "zones", "the plan has no seats"),
        (at("name", value="x" * 201), "name", "longer than 200 characters"),
        (at("categories", 1, "name", value="A"), "categories[1].name", "also the name of categories[0]"),
    ],
)
def test_each_error_is_told_with_its_place(change: Change, place: str, said: str) -> None:
    broken = plan()
    change(broken)
    found = errors_of(broken)
    assert place in [where for where, _ in found]
    assert said in dict(found)[place]


@pytest.mark.parametrize(
    ("change", "place", "said"),
    [
        (
            at("zones", 0, "rows", 0, "row_number_position", value="top"),
            "zones[0].rows[0].row_number_position",
            "is not start, end or both",
        ),
        (without("name"), "name", "is missing"),
        (at(*SEAT, "radius", value=0), "zones[0].rows[1].seats[0].radius", "is not above 0"),
        (at("size", "width", value=0), "size", "above 0"),
        (at("categories", 0, "color", value="url(javascript:x)"), "categories[0].color", "is not a colour"),
        (at("zones", 0, "areas", value=[AREA]), "zones[0].areas[0]", "needs a `shape`"),
        (at("zones", 0, "areas", value=[{**AREA, "shape": "circle"}]), "zones[0].areas[0]", "needs `circle`"),
        (at("zones", 0, "areas", value=[{**AREA, "shape": "heart"}]), "zones[0].areas[0].shape", "must be"),
        (
            at("zones", 0, "areas", value=[{**AREA, "shape": "ellipse", "ellipse": {"radius": 3}}]),
            "zones[0].areas[0].ellipse.radius",
            "must be an object",
        ),
    ],
)
def test_what_concerns_the_drawing_alone_is_a_warning_with_its_place(change: Change, place: str, said: str) -> None:
    odd = plan()
    change(odd)
    loaded, good = load_plan(data(odd)), load_plan(data(plan()))
    assert len(loaded.seats) == len(good.seats)
    new = [one for one in loaded.warnings if one not in good.warnings]
    assert [(one.at, said in one.message) for one in new] == [(place, True)]


def test_all_errors_are_told_at_once() -> None:
    broken = plan()
    broken["zones"][0]["rows"][0]["seats"][0]["category"] = "C"
    broken["zones"][0]["rows"][0]["seats"][1]["seat_guid"] = "b1"
    broken["zones"][1]["position"]["x"] = None
    broken["name"] = ["Hall"]
    assert [place for place, _ in errors_of(broken)] == [
        "name",
        "zones[1].position.x",
        "zones[0].rows[0].seats[0].category",
        "zones[1].rows[0].seats[0].seat_guid",
    ]


def test_a_file_with_thousands_of_errors_lists_the_first_hundred() -> None:
    broken = plan()
    broken["zones"][0]["rows"][0]["seats"] = [seat(f"x{n}", category="?") for n in range(5000)]
    with pytest.raises(PlanInvalid) as caught:
        load_plan(data(broken))
    assert len(caught.value.data["errors"]) == MAX_LISTED
    assert caught.value.data["more"] == 5000 - MAX_LISTED
    assert "4999 more errors" in caught.value.detail


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (b"", "line 1, column 1", "not JSON"),
        (b"PK\x03\x04", "line 1, column 1", "not JSON"),
        (b'{\n  "name": "x",\n  "zones": [}\n', "line 3, column 13", "not JSON"),
        (b'{"name": "\xff"}', "line 1, column 11", "not UTF-8"),
        (b'{"name": NaN}', "line 1, column 10", "not JSON"),
        (b'{"name": "\\ud800"}', "line 1, column 11", "not JSON"),
        ("{}".encode("utf-16"), "line 1, column 1", "not UTF-8"),
        (b'{"size": {"width": 1e999}}', "line 1, column 20", "not JSON"),
        (b'[{"name": 1}]', "$", "not a list"),
        (b"null", "$", "not null"),
        (b'{"zones": [{"name": 1, "rows": [], "name": 2}]}', "zones[0].name", "occurs twice"),
    ],
)
def test_what_is_not_a_json_object_is_told_with_line_and_column(text: bytes, place: str, said: str) -> None:
    found = errors_of(text)
    assert place in [where for where, _ in found]
    assert said in dict(found)[place]


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"zones":[', b"[[],"])
@pytest.mark.parametrize("size", [100_000_000, 60_000_000, 500_000, MAX_DEPTH * 12])
def test_deep_nesting_is_refused_quickly_with_one_message(opening: bytes, size: int) -> None:
    nested = opening * (size // len(opening))
    began = time.thread_time()
    found = errors_of(nested)
    assert time.thread_time() - began < 2
    assert len(found) == 1


def test_nesting_that_is_closed_again_is_refused_too() -> None:
    for depth in (MAX_DEPTH, 900, 1024, 100_000):
        nested = b'{"name":' + b"[" * depth + b"]" * depth + b"}"
        assert errors_of(nested) == [("$", f"nested deeper than {MAX_DEPTH} levels: this is not a seat plan")]


def test_files_beyond_the_limits_are_refused() -> None:
    assert errors_of(b" " * (MAX_BYTES + 1)) == [("$", "the file is larger than 64 MB: this is not a seat plan")]
    many = b"[" + b"[]," * MAX_CONTAINERS + b"[]]"
    assert "opening brackets" in errors_of(many)[0][1]
    crowded = plan()
    crowded["zones"][0]["rows"][0]["seats"] = [{}] * (MAX_SEATS + 1)
    assert errors_of(crowded) == [
        ("zones", f"the plan has {MAX_SEATS + 4} seats: at most {MAX_SEATS} can be sold in one event")
    ]


# Whatever comes


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_a_plan_or_gives_errors(document: Any) -> None:
    with pytest.raises(PlanInvalid) as caught:
        load_plan(data(document))
    assert caught.value.data["errors"]


def places_of(document: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children: list[tuple[str | int, Any]] = []
    if isinstance(document, dict):
        children = list(document.items())
    elif isinstance(document, list):
        children = list(enumerate(document))
    return [place for key, child in children for place in [(*path, key), *places_of(child, (*path, key))]]


PLACES = places_of(plan())


@settings(max_examples=150)
@given(st.sampled_from(PLACES), json_values)
def test_one_broken_place_never_raises_anything_but_plan_invalid(place: tuple[str | int, ...], value: Any) -> None:
    """And what is said points at that place, at something inside it, or at what depends on it."""
    broken = copy.deepcopy(plan())
    at(*place, value=value)(broken)
    refused: list[dict[str, str]] = []
    loaded = None
    try:
        loaded = load_plan(data(broken))
    except PlanInvalid as error:
        refused = error.data["errors"]
    if loaded is None:
        assert refused
        for found in refused:
            depends = "category" in found["at"] or "seat_guid" in found["at"] or found["at"] == "zones"
            assert depends or found["at"].startswith(json_path(place))
    else:
        assert loaded.seats
        assert all(0 <= one.x <= loaded.width and 0 <= one.y <= loaded.height for one in loaded.seats)
        plan_body(loaded, {category.name: 1 for category in loaded.categories})


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
