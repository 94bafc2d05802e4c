"""Changes go out at once in a calm, together in a rush, and never take more of a process than their share (D4, E1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.gathering import CALM, RUSH, Gathering

LONGEST = 0.05


def pause_at(rate: float, took: float) -> float:
    """After five seconds of single changes at that rate."""
    gathering, now, pause = Gathering(LONGEST), 100.0, 0.0
    while now < 105.0:
        pause = gathering.pause(now, took, 1)
        now += 1 / rate
    return pause


def test_a_calm_waits_for_nothing() -> None:
    for rate in (1, 50, CALM * 0.9):
        assert pause_at(rate, took=0.0) == 0.0


def test_a_rush_is_gathered_for_as_long_as_is_allowed() -> None:
    assert pause_at(RUSH * 1.5, took=0.0) == LONGEST


def test_between_them_more_is_gathered_the_more_comes() -> None:
    pauses = [pause_at(rate, took=0.0) for rate in (300, 500, 700, 900)]
    assert pauses == sorted(pauses)
    assert 0 < pauses[0] < pauses[-1] < LONGEST


def test_a_rate_counts_what_was_sent_together() -> None:
    """Fifty at once, twenty times a second, is a rush as well."""
    gathering = Gathering(LONGEST)
    for turn in range(100):
        pause = gathering.pause(100 + turn * 0.05, 0.0, 50)
    assert pause == pytest.approx(LONGEST)


def test_sending_takes_a_quarter_of_the_time() -> None:
    """Fifty changes a second to a hundred browsers, and to a thousand."""
    assert pause_at(50, took=0.001) == pytest.approx(0.004)
    assert pause_at(50, took=0.010) == pytest.approx(0.040)
    assert pause_at(50, took=0.100) == LONGEST


def test_a_rush_that_is_over_is_forgotten() -> None:
    gathering = Gathering(LONGEST)
    for turn in range(100):
        gathering.pause(100 + turn * 0.05, 0.0, 100)
    assert gathering.pause(110.0, 0.0, 1) == 0.0


@given(
    st.lists(
        st.tuples(st.floats(0, 10, allow_nan=False), st.floats(0, 1, allow_nan=False), st.integers(0, 100_000)),
        min_size=1,
    ),
    st.floats(0, 1, allow_nan=False),
)
def test_a_pause_is_never_longer_than_allowed(steps: list[tuple[float, float, int]], longest: float) -> None:
    gathering, now = Gathering(longest), 0.0
    for passed, took, count in steps:
        now += passed
        assert 0.0 <= gathering.pause(now, took, count) <= longest
