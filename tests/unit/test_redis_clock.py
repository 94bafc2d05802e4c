"""R3: Redis' TIME is everybody's clock, known by its offset at the midpoint of a round trip."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.process.clock_redis import RedisClock


class Machine:
    """A machine whose wall clock is `wrong` seconds ahead."""

    def __init__(self, wrong: float = 0.0) -> None:
        self.steady = 100.0
        self.wrong = wrong

    def wall(self) -> float:
        return 5_000.0 + self.steady + self.wrong

    def clock(self) -> RedisClock:
        return RedisClock(cast(Any, None), monotonic=lambda: self.steady, wall=self.wall)

    def hear(self, clock: RedisClock, out: float, back: float, *, redis_ahead: float = 0.0) -> None:
        """One reading: so many seconds to Redis, and back."""
        before = self.steady
        at = 5_000.0 + before + out + redis_ahead
        self.steady += out + back
        clock.heard(at, before, self.steady)


@given(
    st.floats(-7200, 7200), st.lists(st.tuples(st.floats(0.0001, 1.9), st.floats(0.0001, 1.9)), min_size=1, max_size=9)
)
def test_a_wrong_machine_knows_the_time_as_well_as_its_best_reading(
    wrong: float, trips: list[tuple[float, float]]
) -> None:
    machine = Machine(wrong)
    clock = machine.clock()
    for out, back in trips:
        machine.hear(clock, out, back)
    truth = 5_000.0 + machine.steady
    best = min((out + back) / 2 for out, back in trips)
    assert abs(clock.now().timestamp() - truth) <= best + 1e-4 * sum(map(sum, trips)) + 1e-5
    assert clock.drift() == pytest.approx(wrong, abs=best + 0.01)


def test_before_the_first_reading_it_is_the_machines_own_and_says_so() -> None:
    machine = Machine(3.0)
    clock = machine.clock()
    assert clock.now().timestamp() == pytest.approx(machine.wall())
    assert clock.now_ms() == 0


def test_a_slow_reading_does_not_spoil_a_good_one() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.hear(clock, 0.001, 0.001)
    machine.hear(clock, 1.8, 0.1)
    assert clock.now().timestamp() == pytest.approx(5_000.0 + machine.steady, abs=0.005)


def test_a_redis_whose_clock_was_set_is_followed_at_once() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.hear(clock, 0.001, 0.001)
    machine.hear(clock, 0.05, 0.05, redis_ahead=60.0)
    assert clock.now().timestamp() == pytest.approx(5_060.0 + machine.steady, abs=0.06)
