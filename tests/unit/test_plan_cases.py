"""Small plans that editors write and that failed once, each with its right value (tests/data/plans)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.event_options import fitted
from core.errors import InvalidRequest, PlanInvalid
from core.languages import seat_name
from core.seats.best_seats import Wish, hall_of, largest, pick, resolved
from core.seats.board import STATE_OF_STATUS
from core.venue import plan_check
from core.venue.new_event import NewEvent, check_new_event
from core.venue.plan_body import shown_categories
from core.venue.plan_columns import plan_columns
from core.venue.plan_document import parse_document
from core.venue.plan_import import DEFAULT_RADIUS, build_plan, load_plan, relabelled, stored_plan
from core.venue.plan_problems import MAX_LISTED
from core.venue.seat_plan import SeatPlan
from core.venue.seat_runs import focal_point

PLANS = Path(__file__).parent.parent / "data" / "plans"


def case(name: str) -> SeatPlan:
    return load_plan((PLANS / f"{name}.json").read_bytes())


def test_spaces_of_every_kind_become_a_space() -> None:
    """pretix#1503, pretalx#2297"""
    assert case("nbsp_zone").zones == ("Parterre : gauche",)
    assert {seat.row for seat in case("ideographic_space_row").seats} == {"Ａ 列"}


def test_a_text_in_the_hall_may_have_two_lines() -> None:
    (area,) = case("crlf_area_text").areas
    assert area.text.splitlines() == ["Zeile 1", "Zeile 2"]
    assert "\r" not in area.text


def test_whole_floats_are_integers() -> None:
    seat = case("float_numbers").seats[0]
    assert (seat.row, seat.number) == ("12", "7")


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("row_number_position_none", "zones[0].rows[0].row_number_position"),
        ("area_without_position", "zones[0].areas[0].position"),
        ("size_zero", "size"),
        ("dup_labels", "zones[0].rows[0].seats[1].seat_number"),
        ("same_place", "zones[0].rows[0].seats[1].position"),
        ("radius_zero", "zones[0].rows[0].seats[0].radius"),
        ("radius_negative", "zones[0].rows[0].seats[0].radius"),
        ("radius_large", "zones[0].rows[0].seats[0].radius"),
        ("radius_text", "zones[0].rows[0].seats[0].radius"),
        ("radius_zero_everywhere", "zones[0].rows[0].seats[0].radius"),
        ("row_position_null", "zones[0].rows[0].position"),
        ("zone_without_rows", "zones[1].rows"),
        ("zone_rows_null", "zones[1].rows"),
        ("zone_capacity", "zones[1].capacity"),
        ("name_missing", "name"),
        ("name_null", "name"),
        ("areas_object", "zones[0].areas"),
    ],
)
def test_what_concerns_the_drawing_is_one_warning_with_its_place(name: str, at: str) -> None:
    plan = case(name)
    assert [one.at for one in plan.warnings] == [at]
    assert len(plan.seats) == 2
    assert {seat.radius for seat in plan.seats} == {DEFAULT_RADIUS}
    assert plan.width > 0
    assert plan.height > 0


def test_a_good_plan_has_no_warning() -> None:
    assert case("nbsp_zone").warnings == ()


@pytest.mark.parametrize("wrong", [{"shape": "star"}, {"shape": "circle"}, 7, {"position": {"x": "left", "y": 0}}])
def test_an_area_that_cannot_be_drawn_is_left_out(wrong: object) -> None:
    document = json.loads((PLANS / "nbsp_zone.json").read_text())
    document["zones"][0]["areas"] = [wrong]
    plan = load_plan(json.dumps(document).encode())
    assert plan.areas == ()
    assert plan.warnings
    assert all(one.at.startswith("zones[0].areas[0]") for one in plan.warnings)


@pytest.mark.parametrize(
    ("name", "at", "said"),
    [
        ("category_number", "zones[0].rows[0].seats[0].category", "there is no category '7' (there are: 'A')"),
        ("guid_number_twice", "zones[0].rows[0].seats[1].seat_guid", "'1' is also the seat_guid of"),
        ("guid_number_and_text", "zones[0].rows[0].seats[1].seat_guid", "'1' is also the seat_guid of"),
        ("nbsp_category_twice", "categories[1].name", "'VIP A' is also the name of categories[0]"),
        ("crlf_name", "name", "has a line break"),
        ("crlf_category_name", "categories[0].name", "has a line break"),
        ("crlf_zone_name", "zones[0].name", "has a line break"),
        ("crlf_row_number", "zones[0].rows[0].row_number", "has a line break"),
        ("crlf_seat_number", "zones[0].rows[0].seats[0].seat_number", "has a line break"),
    ],
)
def test_what_decides_who_sits_where_is_one_error_with_its_place(name: str, at: str, said: str) -> None:
    with pytest.raises(PlanInvalid) as refused:
        case(name)
    [error] = refused.value.data["errors"]
    assert error["at"] == at
    assert said in error["message"]


@pytest.mark.parametrize(("name", "category"), [("category_numbers", "7"), ("nbsp_category", "VIP A")])
def test_a_category_is_the_same_however_its_name_is_written(name: str, category: str) -> None:
    plan = case(name)
    assert {seat.category for seat in plan.seats} == {one.name for one in plan.categories} == {category}
    check_new_event(NewEvent("gala", "Gala", prices={category: 15000}), plan)


@pytest.mark.parametrize("name", ["crlf_zone_name", "crlf_seat_number", "crlf_category_name"])
def test_a_plan_that_was_stored_with_lines_in_its_names_is_read(name: str) -> None:
    document = parse_document((PLANS / f"{name}.json").read_bytes())
    assert len(stored_plan(document).seats) == 2


def test_the_warnings_that_are_not_listed_are_counted() -> None:
    document = json.loads((PLANS / "dup_labels.json").read_text())
    [seat, _] = document["zones"][0]["rows"][0]["seats"]
    seats = [{**seat, "seat_guid": f"g{n}", "position": {"x": n, "y": 0}} for n in range(MAX_LISTED + 51)]
    document["zones"][0]["rows"][0]["seats"] = seats
    plan = load_plan(json.dumps(document).encode())
    assert (len(plan.warnings), plan.more_warnings) == (MAX_LISTED, 50)


def test_a_price_of_the_shell_is_for_the_category_whose_name_ends_in_a_space() -> None:
    plan = case("category_ends_in_space")
    new = NewEvent("gala", "Gala", prices={"A": 15000}, labels={"A": "Stalls"})
    check_new_event(fitted(new, plan), plan)
    assert dict(fitted(new, plan).labelled().prices) == {"Stalls": 15000}


def test_a_plan_that_was_stored_with_a_category_that_is_none_shows_it_as_not_for_sale() -> None:
    document = parse_document((PLANS / "category_number.json").read_bytes())
    plan = stored_plan(document)
    assert [seat.category for seat in plan.seats] == ["7", "A"]
    assert {one["name"]: one["price"] for one in shown_categories(plan, {"A": 1})} == {"A": 1, "7": None}
    assert json.loads(plan_columns(plan, {"A": 1}))["seats"] == 2
    with pytest.raises(InvalidRequest, match="no price for '7'"):
        check_new_event(NewEvent("gala", "Gala", prices={"A": 15000}), plan)


@pytest.mark.parametrize("text", ["a\u202eb", "a\u0007b", "a\u2066b"])
def test_names_that_turn_around_what_follows_are_refused(text: str) -> None:
    document = json.loads((PLANS / "nbsp_zone.json").read_text())
    document["zones"][0]["name"] = text
    with pytest.raises(Exception, match=r"cannot be printed \(U\+"):
        load_plan(json.dumps(document).encode())


def test_rows_and_seats_are_called_what_the_plan_calls_them() -> None:
    seat = case("row_label_seat_label").seats[0]
    assert (seat.zone, seat.row, seat.number) == ("Main", "Tisch 5", "Stuhl 1")
    assert seat_name("en", seat.zone, seat.row, seat.number) == "Main - Tisch 5 - Stuhl 1"
    assert seat_name("ko", seat.zone, seat.row, seat.number) == "Main - Tisch 5 - Stuhl 1"


@pytest.mark.parametrize(
    ("row", "number", "name"),
    [
        ("3", "12", "Stalls, row 3, seat 12"),
        ("Box 3", "12", "Stalls - Box 3 - Seat 12"),
        ("3", "Chair 12", "Stalls - Row 3 - Chair 12"),
        ("", "12", "Stalls - Seat 12"),
        ("3", "", "Stalls - Row 3"),
    ],
)
def test_a_name_says_what_it_is_or_is_told(row: str, number: str, name: str) -> None:
    assert seat_name("en", "Stalls", row, number) == name


def test_best_seats_are_nearest_the_stage_whatever_lies_below_the_hall() -> None:
    plan = case("background_rectangle")
    assert focal_point(plan) == (300.0, 650.0)


@pytest.mark.parametrize("name", ["zone_without_rows", "zone_rows_null"])
def test_labels_are_given_where_a_zone_has_no_rows(name: str) -> None:
    document = json.loads((PLANS / f"{name}.json").read_text())
    labels = {category.name: f"{category.name}, new" for category in build_plan(document).categories}
    assert {seat.category for seat in build_plan(relabelled(document, labels)).seats} <= set(labels.values())


def test_labels_take_the_place_of_categories() -> None:
    document = parse_document((PLANS / "internal_category_names.json").read_bytes())
    plan = build_plan(relabelled(document, {"NOT AVAILABLE": "Kept"}))
    assert {seat.category for seat in plan.seats} == {"3f0c9d2e-5b1a-4c77-9d57-0a4a5f2e7b11", "Kept"}


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp949"])
def test_a_file_in_another_encoding_is_told_in_plain_words(encoding: str) -> None:
    document = json.loads((PLANS / "nbsp_zone.json").read_text()) | {"name": "뷔네" if encoding == "cp949" else "Bühne"}
    document["zones"][0]["name"] = "Parterre"
    with pytest.raises(PlanInvalid) as refused:
        load_plan(json.dumps(document, ensure_ascii=False).encode(encoding))
    [error] = refused.value.data["errors"]
    assert "not UTF-8 text" in error["message"]


def test_what_is_read_past_is_said_once_with_its_place() -> None:
    document = json.loads((PLANS / "nbsp_zone.json").read_text())
    seats = document["zones"][0]["rows"][0]["seats"]
    for seat in seats:
        seat["status"] = "sold"
    box = {"shape": "rectangle", "position": {"x": 0, "y": 0}, "rectangle": {"width": 9, "height": 9}, "capacity": 300}
    document["zones"][0]["areas"] = [box]
    told = {one.at: one.message for one in load_plan(json.dumps(document).encode()).warnings}
    assert set(told) == {"zones[0].rows[0].seats[0].status", "zones[0].areas[0].capacity"}
    assert f"and {len(seats) - 1} more like it" in told["zones[0].rows[0].seats[0].status"]
    assert "is not sold" in told["zones[0].areas[0].capacity"]


@pytest.fixture(params=["on the spot", "apart"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small plan is checked in this process, a large one in a process of its own."""
    if request.param == "apart":
        monkeypatch.setattr(plan_check, "SMALL", 0)
    else:
        monkeypatch.setattr(plan_check, "apart", None)
    return str(request.param)


async def test_a_plan_is_the_same_wherever_it_is_checked(where: str) -> None:
    data = (PLANS / "dup_labels.json").read_bytes()
    found = json.loads(await plan_check.check(data))
    plan = load_plan(data)
    assert (found["name"], found["seats"], found["zones"]) == (plan.name, 2, 1)
    assert [one["at"] for one in found["warnings"]] == ["zones[0].rows[0].seats[1].seat_number"]
    assert found["more_warnings"] == 0
    assert [one["number"] for one in found["plan"]["seats"]] == [seat.number for seat in plan.seats]


async def test_what_is_wrong_with_it_is_told_wherever_it_is_checked(where: str) -> None:
    with pytest.raises(PlanInvalid) as told:
        await plan_check.check(b'{"zones": []}')
    assert {one["at"] for one in told.value.data["errors"]} >= {"zones"}
    document = json.loads((PLANS / "internal_category_names.json").read_bytes())
    new = NewEvent("gala", "Gala", prices={"nothing": 1})
    with pytest.raises(InvalidRequest, match="nothing"):
        await plan_check.prepare(new, json.dumps(document).encode())


async def test_what_is_kept_of_it_has_the_names_that_buyers_read(where: str) -> None:
    """V5: labels in place of the file's keys; what has no price is blocked from the first second."""
    data = (PLANS / "internal_category_names.json").read_bytes()
    sold, *others = [one.name for one in load_plan(data).categories]
    new = NewEvent("gala", "Gala", prices={sold: 15000}, labels={sold: "Stalls"}, blocked=set(others))
    kept = await plan_check.prepare(new, data)
    columns = [dict(zip(plan_check.SEAT_COLUMNS, seat, strict=True)) for seat in kept.seats]
    assert [one["ordinal"] for one in columns] == list(range(len(columns)))
    assert {(one["category"], one["price"], one["status"]) for one in columns} == {
        ("Stalls", 15000, "AVAILABLE"),
        *((name, 0, "BLOCKED") for name in others),
    }
    assert json.loads(kept.document)["categories"][0]["name"] == "Stalls"


async def test_a_label_and_its_price_are_one_category(where: str) -> None:
    """A label with a no-break space, as a text program writes it: its seats would cost nothing."""
    data = (PLANS / "nbsp_category.json").read_bytes()
    new = NewEvent("gala", "Gala", prices={"VIP\u00a0A": 15000}, labels={"VIP A": "Loge\u00a01"})
    kept = await plan_check.prepare(new, data)
    columns = [dict(zip(plan_check.SEAT_COLUMNS, seat, strict=True)) for seat in kept.seats]
    assert {(one["category"], one["price"], one["status"]) for one in columns} == {("Loge 1", 15000, "AVAILABLE")}
    assert dict(new.labelled().prices) == {"Loge 1": 15000}
    with pytest.raises(InvalidRequest, match="two categories would be called 'Loge 1'"):
        await plan_check.prepare(
            NewEvent("gala", "Gala", prices={"A": 1, "B": 1}, labels={"A": "Loge\u00a01", "B": "Loge 1"}),
            json.dumps(two_categories()).encode(),
        )


def two_categories() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((PLANS / "same_place.json").read_text())
    document["categories"].append({"name": "B"})
    document["zones"][0]["rows"][0]["seats"][1]["category"] = "B"
    return document


async def test_what_is_not_for_sale_is_never_offered_as_best(where: str) -> None:
    """V5: an editor's "NOT AVAILABLE" beside the seats that are sold; a wish for it finds nothing."""
    data = (PLANS / "internal_category_names.json").read_bytes()
    plan = load_plan(data)
    sold, other = (one.name for one in plan.categories)
    kept = await plan_check.prepare(NewEvent("gala", "Gala", prices={sold: 15000}, blocked={other}), data)
    status = plan_check.SEAT_COLUMNS.index("status")
    states = bytes(STATE_OF_STATUS[str(seat[status])] for seat in kept.seats)
    hall = hall_of(plan, None)
    for count in (1, 2):
        found = pick(hall, states, Wish(count))
        assert found is not None
        assert {plan.seats[ordinal].category for ordinal in found.seats} == {sold}
    assert pick(hall, states, Wish(3)) is None
    assert pick(hall, states, resolved(hall, Wish(1, other))) is None
    assert largest(hall, states, Wish(1)) == 2
