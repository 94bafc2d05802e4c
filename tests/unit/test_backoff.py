"""One rule for how long to wait before something is tried again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.process.backoff import Backoff


@given(st.floats(0.01, 60), st.integers(-1, 10_000), st.floats(60, 600))
def test_pauses_grow_up_to_a_limit(first: float, failures: int, longest: float) -> None:
    pauses = Backoff(first, longest)
    assert first <= pauses.seconds(failures) <= pauses.seconds(failures + 1) <= longest


@given(st.floats(0.01, 60), st.integers(1, 20), st.floats(0, 1))
def test_those_who_failed_together_do_not_come_back_in_step(first: float, failures: int, jitter: float) -> None:
    plain = Backoff(first, 600).seconds(failures)
    pause = Backoff(first, 600, jitter).seconds(failures)
    assert plain * (1 - jitter) * 0.999 <= pause <= plain * (1 + jitter) * 1.001


def test_each_pause_is_twice_the_one_before() -> None:
    assert [Backoff(0.5, 3.0).seconds(failures) for failures in range(6)] == [0.5, 0.5, 1.0, 2.0, 3.0, 3.0]
