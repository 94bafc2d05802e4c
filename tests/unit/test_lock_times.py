"""S5, S6: lock times from measurements, pure and property-tested."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.seats.lock_times import AdaptiveWait, LockMeasurements, WaitRules, advise

seconds = st.floats(0, 5, allow_nan=False)


@given(st.lists(seconds, min_size=20, max_size=60), st.lists(seconds, min_size=20, max_size=60))
def test_advice_keeps_its_bounds(trips: list[float], sections: list[float]) -> None:
    advice = advise(trips, sections)
    assert advice is not None
    assert 0.150 <= advice.wait_seconds <= 3.0
    assert advice.lease_seconds >= 2 * advice.critical_section_seconds
    assert advice.critical_section_seconds in sections
    assert advice.wait_seconds == 3.0 or advice.wait_seconds >= advice.critical_section_seconds


def test_no_advice_from_too_little() -> None:
    measured = LockMeasurements()
    for _ in range(19):
        measured.round_trip(0.001)
        measured.critical_section(0.004)
    assert measured.advice() is None
    measured.round_trip(0.001)
    measured.critical_section(0.004)
    advice = measured.advice()
    assert advice is not None
    assert advice.wait_seconds == 0.150
    assert advice.lease_seconds == 0.150
    assert advice.samples == 20


def test_slow_stores_ask_for_longer_times() -> None:
    advice = advise([0.1] * 30, [0.4] * 30)
    assert advice is not None
    assert advice.wait_seconds == pytest.approx(0.85)
    assert advice.lease_seconds == pytest.approx(0.8)


def test_the_wait_steps_up_at_five_percent_and_back_when_calm() -> None:
    wait = AdaptiveWait(WaitRules(), now=0)
    for i in range(19):
        assert not wait.record(True, i * 0.01)
    assert wait.record(False, 0.2)  # 1 of 20
    assert wait.seconds == 1.5
    for i in range(20):
        wait.record(i != 0, 1 + i * 0.01)
    assert wait.seconds == 2.0
    for _ in range(100):
        wait.record(False, 2)
    assert wait.seconds == 2.0
    assert not wait.tick(31.9)
    assert wait.tick(33)
    assert wait.seconds == 1.5
    assert not wait.tick(40)
    assert wait.tick(63)
    assert wait.seconds == 1.0
    assert not wait.tick(1000)


def test_four_percent_is_no_reason() -> None:
    wait = AdaptiveWait(WaitRules(), now=0)
    for i in range(25):
        assert not wait.record(i != 20, 0.0)
    assert wait.seconds == 1.0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 20, allow_nan=False)), max_size=200))
def test_every_wait_is_a_step_and_moves_one_at_a_time(history: list[tuple[bool, float]]) -> None:
    rules = WaitRules()
    wait, now = AdaptiveWait(rules, now=0), 0.0
    for acquired, pause in history:
        now += pause
        before = rules.steps.index(wait.seconds)
        changed = wait.record(acquired, now)
        after = rules.steps.index(wait.seconds)
        assert abs(after - before) == int(changed)
        # It never grows on a success that made nothing worse, and never shrinks on a failure.
        assert not (after < before and not acquired)
        assert 0.0 <= wait.share(now) <= 1.0


@pytest.mark.parametrize("steps", [(), (0.0,), (1.0, 3.5)])
def test_waits_above_three_seconds_are_refused(steps: tuple[float, ...]) -> None:
    with pytest.raises(ValueError):
        AdaptiveWait(WaitRules(steps=steps), now=0)
