"""F8: which seats are side by side, what everybody looks at, and which are the best together, as a plain rule."""

from __future__ import annotations

import json
import math
import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidRequest
from core.seats.best_seats import Hall, Wish, alternatives, hall_of, largest, pick, resolved
from core.seats.best_seats_table import packed
from core.venue.demo_plan import DEMO_PLAN
from core.venue.plan_import import load_plan
from core.venue.seat_plan import Area, SeatPlan
from core.venue.seat_runs import FARTHEST, distances, focal_point, runs_of
from tests.halls import CATEGORIES, hall_plan, plan_of, plans, single_seats, wishes

RIETHSPORTHALLE = Path(__file__).parents[1] / "data" / "riethsporthalle.json"


def _best(hall: Hall, states: bytes, count: int, **wish: object) -> tuple[int, ...] | None:
    found = pick(hall, states, resolved(hall, Wish(count, **wish)))  # type: ignore[arg-type]
    return found.seats if found else None


# Side by side


def test_an_aisle_ends_a_run() -> None:
    assert [run.seats for run in runs_of(hall_plan(20, row=10, aisle=4))] == [
        (0, 1, 2, 3),
        (4, 5, 6, 7, 8, 9),
        (10, 11, 12, 13),
        (14, 15, 16, 17, 18, 19),
    ]


def test_two_seats_with_an_aisle_between_are_two_runs() -> None:
    """Their own distance is all that such a row knows: the plan's counts."""
    rows = [[(0.0, 0.0, "Best"), (80.0, 0.0, "Best")], [(25.0 * n, 30.0, "Best") for n in range(8)]]
    assert [len(run.seats) for run in runs_of(plan_of(rows))] == [1, 1, 8]


def test_a_row_is_walked_along_its_own_line() -> None:
    """The file lists odd seats first, then even ones; the row is an arc of three quarters of a circle."""
    arc = [(200 * math.cos(a), 200 * math.sin(a), "Best") for a in (0.12 * n for n in range(39))]
    [run] = runs_of(plan_of([arc[::2] + arc[1::2]]))
    numbers = [2 * n if n < 20 else 2 * (n - 20) + 1 for n in run.seats]
    assert numbers in (list(range(39)), list(reversed(range(39))))


@pytest.mark.parametrize("seats", range(4, 12))
def test_a_short_row_too(seats: int) -> None:
    """Back from the last odd seat to the first even one is hardly farther than from one odd seat to the next."""
    row = [(80.0 * n, 0.0, "Best") for n in range(seats)]
    [run] = runs_of(plan_of([row[::2] + row[1::2]]))
    odd = (seats + 1) // 2
    walked = [2 * n if n < odd else 2 * (n - odd) + 1 for n in run.seats]
    assert walked in (list(range(seats)), list(reversed(range(seats))))


def test_rows_of_one_name_and_tables_are_apart() -> None:
    table = [(500 + 30 * math.cos(a), 500 + 30 * math.sin(a), "Best") for a in (0.785 * n for n in range(8))]
    found = runs_of(plan_of([table, [(x + 200, y, kind) for x, y, kind in table]]))
    assert [sorted(run.seats) for run in found] == [list(range(8)), list(range(8, 16))]


@given(plans(), st.integers(0, 3))
def test_every_seat_is_in_one_run(plan: SeatPlan, companions: int) -> None:
    runs = runs_of(plan, companions)
    assert sorted(seat for run in runs for seat in run.seats) == list(range(len(plan.seats)))
    for run in runs:
        seats = [plan.seats[n] for n in run.seats]
        assert {seat.line for seat in seats} == {seats[0].line}
        assert run.accessible == any(seat.accessible for seat in seats)
        places = sum(seat.accessible for seat in seats)
        assert not run.accessible or len(seats) <= places * (1 + companions)
        assert all(math.dist((a.x, a.y), (b.x, b.y)) <= 1.6 * 1.25 * 80 for a, b in pairwise(seats))


# What everybody looks at


def _background() -> SeatPlan:
    seats = [
        {"seat_guid": f"{r}-{n}", "seat_number": str(n), "category": "A", "position": {"x": 30 * n, "y": 0}}
        for r in range(10)
        for n in range(14)
    ]
    rows = [
        {"row_number": str(r + 1), "position": {"x": 100, "y": 100 + 40 * r}, "seats": seats[14 * r : 14 * r + 14]}
        for r in range(10)
    ]
    box = {"shape": "rectangle", "position": {"x": 0, "y": 0}, "rectangle": {"width": 600, "height": 700}}
    stage = {
        "shape": "rectangle",
        "position": {"x": 150, "y": 620},
        "rectangle": {"width": 300, "height": 60},
        "text": {"text": "STAGE", "position": {"x": 150, "y": 30}},
    }
    zone = {"name": "M", "position": {"x": 0, "y": 0}, "areas": [box, stage], "rows": rows}
    plan = {"name": "H", "size": {"width": 600, "height": 700}, "categories": [{"name": "A", "color": "#3ff"}]}
    return load_plan(json.dumps(plan | {"zones": [zone]}).encode())


def test_a_small_stage_counts_and_a_background_does_not() -> None:
    plan = _background()
    assert focal_point(plan) == (300.0, 650.0)
    hall = hall_of(plan, None)
    assert _best(hall, bytes(140), 2) == (132, 133), "the middle of the last row, which is nearest the stage"


@pytest.mark.parametrize(
    "text", ["Stage", "STAGE", "Main stage", "Bühne", "무대", "메인 무대", "Court", "Field", "舞台"]
)
def test_a_stage_says_so_in_many_languages(text: str) -> None:
    area = Area("circle", 300.0, 80.0, {"radius": 20.0}, text=text)
    assert focal_point(plan_of([[(0.0, 0.0, "Best")]], areas=[area])) == (300.0, 80.0)


@pytest.mark.parametrize("text", ["", "Bar", "Upstaged", "Cloakroom"])
def test_what_says_something_else_is_no_stage(text: str) -> None:
    """Then it is the middle of the front row, over all blocks of it."""
    area = Area("rectangle", 0.0, 900.0, {"width": 400.0, "height": 90.0}, text=text)
    rows = [[(100.0 * n, y, "Best") for n in range(5)] for y in (60.0, 20.0)]
    assert focal_point(plan_of(rows, areas=[area])) == (200.0, 20.0)


def test_the_events_own_focus_comes_first() -> None:
    plan = _background()
    assert focal_point(plan, (100.0, 0.0)) == (100.0, 0.0)
    assert _best(hall_of(plan, (100.0, 0.0)), bytes(140), 2) == (0, 1)
    assert max(distances(plan, (100.0, 0.0))) == FARTHEST


def test_the_events_own_focus_is_where_the_file_has_it() -> None:
    """The drawing is moved where something lies outside of it: seats left of the origin, here by 50 units and more."""
    seats = [
        {"seat_guid": f"s{n}", "seat_number": str(n + 1), "position": {"x": 30 * n, "y": 0}, "category": "A"}
        for n in range(9)
    ]
    zone = {"name": "M", "position": {"x": -40, "y": -70}, "areas": [], "rows": []}
    row = {"row_number": "1", "row_number_position": "both", "position": {"x": 0, "y": 0}, "seats": seats}
    document = {"name": "H", "size": {"width": 300, "height": 100}, "categories": [{"name": "A", "color": "#3ff"}]}
    plan = load_plan(json.dumps(document | {"zones": [zone | {"rows": [row]}]}).encode())
    assert plan.seats[0].x > 0, "moved"
    for n in (2, 6):
        assert _best(hall_of(plan, (-40.0 + 30 * n, -70.0)), bytes(9), 1) == (n,)


# The best together


def test_a_group_goes_to_the_middle_of_the_first_row() -> None:
    hall = hall_of(hall_plan(60, row=20), None)
    assert _best(hall, bytes(60), 2) == (9, 10) or _best(hall, bytes(60), 2) == (8, 9)
    assert _best(hall, bytes(60), 4) == (8, 9, 10, 11)


def test_no_single_seat_is_left_over_while_there_is_another_way() -> None:
    hall = hall_of(hall_plan(20, row=10), None)
    states = bytearray(20)
    states[3] = states[7] = 1  # the first row: 3 free, 3 free, 2 free
    best = _best(hall, bytes(states), 2)
    assert best is not None
    assert best[0] >= 10, "the second row has a nearer one"
    states[10:20] = bytes([1] * 10)
    assert _best(hall, bytes(states), 2) == (8, 9)
    states[8] = 1
    best = _best(hall, bytes(states), 2)
    assert best is not None
    assert best[0] in (0, 1, 4, 5), "no other way is left"


def test_groups_of_one_size_fill_a_row_to_its_end() -> None:
    hall = hall_of(hall_plan(200, row=10), (0.0, 0.0))
    states = bytearray(200)
    for _ in range(100):
        seats = _best(hall, bytes(states), 2)
        assert seats is not None
        for seat in seats:
            states[seat] = 1
        assert not single_seats(hall, bytes(states))
    assert bytes(states) == b"\1" * 200


def test_wheelchair_places_are_given_when_asked_for() -> None:
    row = [(25.0 * n, 0.0, "Wheelchair" if n < 3 else "Best") for n in range(9)]
    hall = hall_of(plan_of([row, [(25.0 * n, 30.0, "Good") for n in range(9)]]), (0.0, 0.0))
    assert _best(hall, bytes(18), 2) == (9, 10)
    assert _best(hall, bytes(18), 2, category="Best") == (3, 4)
    assert _best(hall, bytes(18), 2, accessible=True) == (0, 1)
    assert _best(hall, bytes(18), 2, category="Wheelchair") == (0, 1)
    assert _best(hall, bytes(18), 2, category="Good") == (9, 10)
    assert _best(hall, bytes(18), 2, category="Best", accessible=True) is None


def _row(kinds: str, y: float = 0.0) -> list[tuple[float, float, str]]:
    """W: a wheelchair place, a space: an aisle."""
    return [(25.0 * n, y, "Wheelchair" if kind == "W" else "Best") for n, kind in enumerate(kinds) if kind != " "]


@pytest.mark.parametrize(
    ("row", "companions", "runs"),
    [
        ("OOOWOOO", 0, ["OOO", "W", "OOO"]),
        ("OOOWOOO", 1, ["OOO", "WO", "OO"]),
        ("OOOWOOO", 2, ["OO", "OWO", "OO"]),
        ("OOOWOOO", 3, ["OO", "OWOO", "O"]),
        ("OOOW", 2, ["O", "OOW"]),
        ("OOWWOOO", 1, ["O", "OWWO", "OO"]),
        ("WOW", 1, ["WO", "W"]),
        ("WOOW", 1, ["WO", "OW"]),
        ("OOW  OOO", 2, ["OOW", "OOO"]),
    ],
)
def test_companions_seats_are_beside_their_wheelchair_place(row: str, companions: int, runs: list[str]) -> None:
    """On both sides by turns, over no aisle, and no seat is of two places."""
    plan = plan_of([_row(row), [(25.0 * n, 90.0, "Best") for n in range(8)]])
    found = ["".join("W" if plan.seats[n].accessible else "O" for n in run.seats) for run in runs_of(plan, companions)]
    assert found == [*runs, "O" * 8]


def test_a_group_gets_as_few_wheelchair_places_as_it_needs() -> None:
    hall = hall_of(plan_of([_row("OOOOWWOOOO")]), (0.0, 0.0), 1)
    states = bytearray(10)
    assert _best(hall, bytes(states), 1, accessible=True) == (4,)
    assert _best(hall, bytes(states), 2, accessible=True) == (3, 4)
    assert _best(hall, bytes(states), 3, accessible=True) == (3, 4, 5)
    assert _best(hall, bytes(states), 4, accessible=True) == (3, 4, 5, 6)
    assert largest(hall, bytes(states), resolved(hall, Wish(9, accessible=True))) == 4
    states[4] = 1
    assert _best(hall, bytes(states), 2, accessible=True) == (5, 6)
    assert _best(hall, bytes(states), 3, accessible=True) is None
    states[5] = 1
    assert largest(hall, bytes(states), resolved(hall, Wish(1, accessible=True))) == 0, "companions come with somebody"
    assert _best(hall, bytes(states), 4) is None, "their seats are for nobody else"
    assert _best(hall, bytes(states), 3) in ((0, 1, 2), (7, 8, 9))


def test_category_and_zone_are_kept() -> None:
    hall = hall_of(hall_plan(60, row=20), None)
    assert _best(hall, bytes(60), 2, category="Good") is None
    right = _best(hall, bytes(60), 2, zone="Right")
    assert right is not None
    assert right[0] >= 40
    for wrong in ({"category": "None"}, {"zone": "Nowhere"}):
        with pytest.raises(InvalidRequest):
            _best(hall, bytes(60), 2, **wrong)


def test_what_is_offered_instead_can_be_had() -> None:
    told = alternatives(Wish(4, "Best", "Right"), 3, ["Good"])
    assert told == [
        {"count": 4, "category": "Good", "zone": "Right"},
        {"count": 3, "category": "Best", "zone": "Right"},
    ]
    assert alternatives(Wish(4, accessible=True), 0, []) == []


@given(plans(), wishes(), st.randoms(use_true_random=False), st.integers(0, 2))
def test_the_best_is_together_free_and_of_the_wish(
    plan: SeatPlan, wish: Wish, chance: random.Random, companions: int
) -> None:
    hall = hall_of(plan, None, companions)
    states = bytes(chance.choice([0, 0, 0, 1, 2]) for _ in plan.seats)
    if wish.zone not in (None, *hall.zones):
        return
    asked = resolved(hall, wish)
    found, most = pick(hall, states, asked), largest(hall, states, asked)
    assert (found is not None) == (most >= wish.count)
    if found is None:
        return
    seats = [plan.seats[n] for n in found.seats]
    assert len({*found.seats}) == wish.count
    assert all(states[n] == 0 for n in found.seats)
    places = sum(seat.accessible for seat in seats)
    assert places >= math.ceil(wish.count / (1 + companions)) if asked.accessible else places == 0
    assert asked.accessible or not hall.beside.intersection(found.seats)
    assert {seat.category for seat in seats} <= ({wish.category} if wish.category else {*CATEGORIES})
    after = bytearray(states)
    for n in found.seats:
        after[n] = 1
    if not asked.accessible:
        assert len(single_seats(hall, bytes(after)) - single_seats(hall, states)) == found.singles


# Real plans


@pytest.mark.parametrize("file", [DEMO_PLAN, RIETHSPORTHALLE], ids=["demo", "riethsporthalle"])
def test_real_plans_have_long_runs_and_a_small_table(file: Path) -> None:
    plan = load_plan(file.read_bytes())
    hall = hall_of(plan, None)
    assert sum(len(run.seats) for run in hall.runs) == len(plan.seats)
    assert len(packed(hall)) < 16 * len(plan.seats) + 200
    best = _best(hall, bytes(len(plan.seats)), 4)
    assert best is not None
    assert len({plan.seats[n].row for n in best}) == 1
