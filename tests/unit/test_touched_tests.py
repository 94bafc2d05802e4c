"""What `make quick` runs: no unit test is left out unsaid, and the same change chooses the same files."""

from __future__ import annotations

from scripts.touched_tests import BUDGET_SECONDS, LONG_SECONDS, UNKNOWN_SECONDS, chosen

UNIT = {f"tests/unit/test_{number:03}.py" for number in range(150)}


def test_on_a_fresh_clone_all_unit_files_run() -> None:
    """Nothing is known of any of them, and there are more than the budget has seconds: sixty of 102 ran."""
    assert chosen(UNIT, {}, {}) == (sorted(UNIT), [])


def test_all_quick_unit_files_run_although_they_pass_the_budget() -> None:
    seconds = dict.fromkeys(UNIT, LONG_SECONDS)
    run, left = chosen(UNIT, {"tests/e2e/test_touched.py": 1}, seconds)
    assert set(run) == UNIT
    assert left == ["tests/e2e/test_touched.py"]


def test_a_test_that_was_changed_runs_whatever_it_costs() -> None:
    run, left = chosen(UNIT, {"tests/race/test_long.py": 0}, {"tests/race/test_long.py": 10 * BUDGET_SECONDS})
    assert (set(run), left) == (UNIT | {"tests/race/test_long.py"}, [])


def test_what_is_touched_nearest_comes_first_and_slow_unit_tests_last() -> None:
    touched = {"tests/e2e/test_far.py": 2, "tests/e2e/test_near.py": 1, "tests/e2e/test_changed.py": 0}
    seconds = dict.fromkeys(touched, 10.0) | {"tests/unit/test_slow.py": 10.0, "tests/unit/test_quick.py": 0.1}
    unit = {"tests/unit/test_slow.py", "tests/unit/test_quick.py"}
    run, left = chosen(unit, touched, seconds)
    assert [path.rpartition("test_")[2] for path in run] == ["changed.py", "quick.py", "near.py", "far.py", "slow.py"]
    assert left == []


def test_all_that_is_left_out_is_named() -> None:
    touched = {f"tests/e2e/test_{number}.py": 1 + number % 2 for number in range(100)}
    slow = {"tests/unit/test_slow.py": BUDGET_SECONDS}
    run, left = chosen({*slow, "tests/unit/test_quick.py"}, touched, slow)
    assert sorted([*run, *left]) == sorted([*touched, *slow, "tests/unit/test_quick.py"])
    assert len(run) == 1 + (BUDGET_SECONDS - 1) // UNKNOWN_SECONDS
    assert "tests/unit/test_slow.py" in left


def test_the_order_is_the_same_whichever_way_they_are_found() -> None:
    touched = {f"tests/e2e/test_{number}.py": 1 for number in range(20)}
    order = chosen(UNIT, touched, {})
    assert order == chosen(dict.fromkeys(sorted(UNIT, reverse=True)).keys(), dict(reversed(touched.items())), {})
    assert order[0] == [*sorted(UNIT), *order[0][len(UNIT) :]]
    assert order[0][len(UNIT) :] + order[1] == sorted(touched)
