"""A line that is too long: who would wait in vain is refused before the wait, and nobody else is (R8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import StoreUnavailable
from core.process.line import Begins, Line, Pace
from core.process.waits import Wait


class _Waited(Wait):
    """`ours`: it was this process that had no time."""

    def __init__(self, ours: bool) -> None:
        super().__init__()
        self._ours = ours

    def is_our_own_fault(self) -> bool:
        return self._ours


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _line(clock: _Clock, *, ours: bool = False) -> Line:
    return Line("test", most=1.0, most_busy=15.0, monotonic=clock, wait=lambda: _Waited(ours))


def _crowd(line: Line, clock: _Clock, *, there: int, a_second: float, seconds: float) -> None:
    """So many stand in it all the time, and so many a second leave it to be served."""
    for _ in range(there):
        line.join()
    steps = round(seconds * 20)
    owed = 0.0
    for _ in range(steps):
        clock.now += 0.05
        owed += a_second / 20
        served = int(owed)
        owed -= served
        line.leave(served)
        for _ in range(served):
            line.join()


def _is_refused(line: Line, begins: Begins) -> bool:
    try:
        line.require(begins)
    except StoreUnavailable:
        return True
    return False


def test_an_empty_line_and_a_sudden_crowd_refuse_nobody() -> None:
    clock = _Clock()
    line = _line(clock)
    line.require(Begins.ANYTHING)
    for _ in range(5_000):
        line.require(Begins.ANYTHING)
        line.join()
        clock.now += 0.0001


@pytest.mark.parametrize(("a_second", "refused"), [(60.0, True), (150.0, False), (1000.0, False)])
def test_what_would_wait_too_long_is_refused_and_what_would_not_is_let_in(a_second: float, refused: bool) -> None:
    clock = _Clock()
    line = _line(clock)
    _crowd(line, clock, there=100, a_second=a_second, seconds=5)
    assert _is_refused(line, Begins.ANYTHING) is refused


def test_payments_are_refused_last() -> None:
    clock = _Clock()
    line = _line(clock)
    _crowd(line, clock, there=120, a_second=100, seconds=5)
    assert _is_refused(line, Begins.ANYTHING)
    assert not _is_refused(line, Begins.PAYMENT)
    _crowd(line, clock, there=80, a_second=100, seconds=5)
    assert _is_refused(line, Begins.PAYMENT)


def test_a_store_that_stands_still_is_noticed_and_one_that_goes_on_is_believed() -> None:
    clock = _Clock()
    line = _line(clock)
    for _ in range(10):
        line.join()
    clock.now = 2.0
    assert _is_refused(line, Begins.ANYTHING)
    line.leave(10)
    assert line.waiting == 0
    assert not _is_refused(line, Begins.ANYTHING)


def test_a_process_that_is_itself_short_of_time_waits_longer() -> None:
    """A refusal would only bring the call back."""
    clock = _Clock()
    line = _line(clock, ours=True)
    _crowd(line, clock, there=500, a_second=100, seconds=5)
    assert not _is_refused(line, Begins.ANYTHING)
    _crowd(line, clock, there=1_500, a_second=100, seconds=5)
    assert _is_refused(line, Begins.ANYTHING)


def test_who_gave_up_in_the_line_was_not_served() -> None:
    clock = _Clock()
    line = _line(clock)
    for _ in range(200):
        line.join()
    clock.now = 2.0
    line.leave(0, 190)
    assert line.waiting == 10
    assert _is_refused(line, Begins.PAYMENT)


def test_who_is_refused_is_told_when_to_come_back_and_counted_for_a_minute() -> None:
    clock = _Clock()
    line = _line(clock)
    _crowd(line, clock, there=100, a_second=10, seconds=3)
    for _ in range(30):
        with pytest.raises(StoreUnavailable, match="nothing was changed") as refused:
            line.require(Begins.ANYTHING)
        assert refused.value.retry_after is not None
        assert 2 <= refused.value.retry_after <= 10
    assert line.recently_refused() == 30
    clock.now += 61
    assert line.recently_refused() == 0


@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=200))
def test_it_counts_who_stands_there_and_is_never_below_nothing(steps: list[tuple[float, int, int]]) -> None:
    pace, now, there = Pace(), 0.0, 0
    for pause, come, go in steps:
        now += pause
        for _ in range(come):
            pace.join(now)
        there += come
        go = min(go, there)
        pace.leave(now, go)
        there -= go
        assert pace.waiting == there
        seconds = pace.seconds(now)
        assert seconds >= 0
        assert there or seconds == 0


@given(st.integers(2, 2_000), st.integers(1, 3_000))
def test_a_steady_line_is_told_as_it_is(more: int, a_second: int) -> None:
    """Within a third: as many before you as are served in that time."""
    there = a_second // 20 + more  # it never empties
    clock = _Clock()
    line = _line(clock)
    _crowd(line, clock, there=there, a_second=a_second, seconds=8)
    wait = line._pace.seconds(clock.now)
    right = (there + 1) / (a_second + 0.5)
    assert 0.65 * right <= wait <= 1.5 * right
