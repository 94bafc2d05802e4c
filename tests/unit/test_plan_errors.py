"""What is wrong with a plan is told with its place; whatever a file says, it is a plan or gives errors (S2)."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import PlanInvalid
from core.venue.plan_body import plan_body
from core.venue.plan_document import MAX_BYTES, MAX_CONTAINERS, MAX_DEPTH
from core.venue.plan_import import MAX_SEATS, load_plan
from core.venue.plan_problems import MAX_LISTED, json_path
from tests.unit.plan_documents import data, errors_of, plan, seat

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
