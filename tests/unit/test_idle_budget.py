"""Places are told as fast as the process has time for, and no slower than before where it has none (D4, E1)."""

from __future__ import annotations

import pytest

from realtime.idle_budget import IdleBudget

TICK = 0.25
LEAST, EACH = 2_000.0, 15e-6
PLENTY = 1e9


def a_second(*, busy: float, late: float = 0.0, most: float = PLENTY, each: float = EACH) -> float:
    """Pieces a second after twenty ticks in a process that computes `busy` of its time for others."""
    budget, computed, pieces = IdleBudget(LEAST, EACH), 5.0, 0
    for tick in range(20):
        pieces = budget.pieces(100 + tick * TICK, computed, late, most)
        budget.spent(pieces * each, pieces)
        computed += pieces * each + busy * TICK
    return pieces / TICK


def test_a_process_with_time_tells_many_and_keeps_most_of_its_time() -> None:
    rate = a_second(busy=0.0)
    assert rate > 5 * LEAST
    assert rate * EACH == pytest.approx(0.4, rel=0.01)
    assert a_second(busy=0.6) == pytest.approx(0.4 * rate, rel=0.01)


@pytest.mark.parametrize(("busy", "late"), [(0.99, 0.0), (1.0, 0.0), (1.4, 0.0), (0.0, 0.1)])
def test_without_time_it_is_the_least(busy: float, late: float) -> None:
    """Threads can compute more than all of the time; a tick that is late comes to a busy machine."""
    assert a_second(busy=busy, late=late) == LEAST


def test_its_own_work_is_not_what_the_others_do() -> None:
    """Else telling many would itself be the reason to tell few at the next tick."""
    budget, computed, counts = IdleBudget(LEAST, EACH), 0.0, []
    for tick in range(10):
        counts.append(budget.pieces(tick * TICK, computed, 0.0, PLENTY))
        budget.spent(counts[-1] * EACH, counts[-1])
        computed += counts[-1] * EACH
    assert len(set(counts[1:])) == 1, counts


def test_what_a_piece_costs_is_learnt() -> None:
    assert a_second(busy=0.0, each=4 * EACH) == pytest.approx(a_second(busy=0.0) / 4, rel=0.05)


def test_no_more_than_is_worth_having_and_never_less_than_the_least() -> None:
    assert a_second(busy=0.0, most=5_000) == 5_000
    assert a_second(busy=0.0, most=10) == LEAST


def test_a_tick_that_stayed_away_is_not_made_up_for() -> None:
    budget = IdleBudget(LEAST, EACH)
    assert budget.pieces(0.0, 0.0, 0.0, PLENTY) == 0, "nothing has passed yet"
    assert budget.pieces(3_600.0, 0.0, 3_599.0, PLENTY) == LEAST
