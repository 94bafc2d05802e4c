"""The allowance of a caller: exact in time, bounded in memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TooManyRequests
from tests.manual_clock import ManualClock
from web.rate_limits import RateLimit, network


def accepted(limit: RateLimit, who: str) -> bool:
    try:
        limit.take(who)
    except TooManyRequests:
        return False
    return True


def test_a_minutes_calls_may_come_at_once() -> None:
    limit = RateLimit(30, ManualClock())
    assert [accepted(limit, "a") for _ in range(31)] == [True] * 30 + [False]
    assert accepted(limit, "b"), "each caller has an allowance of its own"


def test_who_waits_as_told_is_served() -> None:
    clock = ManualClock()
    limit = RateLimit(30, clock)
    for _ in range(30):
        limit.take("a")
    for _ in range(5):
        with pytest.raises(TooManyRequests) as refusal:
            limit.take("a")
        assert refusal.value.retry_after is not None
        clock.advance(refusal.value.retry_after)
        limit.take("a")


def test_asking_counts_nothing() -> None:
    limit = RateLimit(3, ManualClock())
    for _ in range(10):
        limit.require("a")
    for _ in range(3):
        limit.take("a")
    with pytest.raises(TooManyRequests):
        limit.require("a")


@given(
    per_minute=st.integers(1, 600),
    pauses=st.lists(st.floats(0, 90, allow_nan=False), max_size=200),
)
def test_no_minute_has_more_than_twice_the_limit_and_the_long_run_has_the_limit(
    per_minute: int, pauses: list[float]
) -> None:
    clock = ManualClock()
    limit = RateLimit(per_minute, clock)
    times: list[float] = []
    for pause in pauses:
        clock.advance(pause)
        times += [clock.monotonic()] * accepted(limit, "a")
    for index, begin in enumerate(times):
        for end in range(index, len(times)):
            seconds = times[end] - begin
            assert end - index + 1 <= per_minute * (1 + seconds / 60) + 1e-3


def test_memory_is_bounded_and_the_quiet_are_forgotten_first() -> None:
    limit = RateLimit(2, ManualClock(), most_callers=3)
    for who in ("a", "b", "c", "a", "d"):
        limit.take(who)
    assert len(limit) == 3
    assert not accepted(limit, "a"), "seen after b, so remembered"
    assert [accepted(limit, "b") for _ in range(3)] == [True, True, False], "forgotten"


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unknown", "unknown"),
        ("x" * 500, "x" * 64),
    ],
)
def test_a_subscriber_is_one_address(address: str, counts_as: str) -> None:
    assert network(address) == counts_as
