"""Small plans that editors write and that failed once, each with its right value (tests/data/plans)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.venue.plan_import import load_plan
from core.venue.seat_plan import SeatPlan

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
    ],
)
def test_what_concerns_the_drawing_is_one_warning_with_its_place(name: str, at: str) -> None:
    plan = case(name)
    assert [one.at for one in plan.warnings] == [at]
    assert len(plan.seats) == 2
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


@pytest.mark.parametrize("text", ["a\u202eb", "a\u0007b", "a\u2066b"])
def test_names_that_turn_around_what_follows_are_refused(text: str) -> None:
    document = json.loads((PLANS / "nbsp_zone.json").read_text())
    document["zones"][0]["name"] = text
    with pytest.raises(Exception, match=r"cannot be printed \(U\+"):
        load_plan(json.dumps(document).encode())
