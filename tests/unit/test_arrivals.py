"""A crowd that comes back at once gets a moment each, as fast as the process opens channels (E1)."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from realtime.arrivals import Arrivals, come_back_after


def test_who_comes_in_a_calm_opens_at_once() -> None:
    arrivals = Arrivals(most=3)
    for now in range(100):
        assert arrivals.comes(float(now)) is None
        arrivals.opened(float(now))


def test_those_beyond_what_is_opened_at_once_are_told_their_turn() -> None:
    """At 500 a second, which is what is believed at first."""
    arrivals = Arrivals(most=1_000)
    told = [arrivals.comes(0.0) for _ in range(6_000)]
    assert told[:1_000] == [None] * 1_000
    turns = [turn for turn in told if turn is not None]
    assert turns == [second for second in range(2, 12) for _ in range(500)]


def test_turns_follow_the_pace_at_which_channels_are_opened() -> None:
    def last_turn(a_second: int) -> int:
        arrivals, now = Arrivals(most=1_000), 0.0
        assert all(arrivals.comes(now) is None for _ in range(500))
        for _ in range(10 * a_second):
            now += 1 / a_second
            arrivals.opened(now)
            assert arrivals.comes(now) is None
        return max(turn or 0 for turn in (arrivals.comes(now) for _ in range(6_500)))

    assert abs(last_turn(200) - 33) <= 2
    assert abs(last_turn(1_000) - 7) <= 1


def crowd(arrivals: Arrivals, start: float, count: int, pace: int) -> tuple[float, int]:
    """`count` within half a second, of whom `pace` a second can be opened, and each does as it is told: the seconds
    until all are in, and how many are told to come in the same second, at most."""
    due = Counter(number * 5 // count for number in range(count))
    told: Counter[int] = Counter()
    opening = opened = now = 0
    while opened < count:
        for _ in range(due.pop(now, 0)):
            turn = arrivals.comes(start + now / 10)
            if turn is None:
                opening += 1
            else:
                told[now // 10 + turn] += 1
                due[now + 10 * turn] += 1
        for _ in range(min(opening, pace // 10)):
            arrivals.opened(start + now / 10)
            opening, opened = opening - 1, opened + 1
        now += 1
        assert now < 10_000
    return now / 10, max(told.values())


@pytest.mark.parametrize("pace", [200, 500, 1_000])
def test_all_are_in_as_soon_as_they_can_be_and_no_second_is_everybodys(pace: int) -> None:
    seconds, most = crowd(Arrivals(), 0.0, 20_000, pace)
    assert seconds <= max(20_000 / pace, 40.0) * 1.02
    assert most <= 650


def test_a_calm_before_and_a_crowd_long_ago_change_nothing_of_that() -> None:
    """In a calm few come, which says nothing of how many could be served."""
    fresh = crowd(Arrivals(), 0.0, 20_000, 500)
    idle, now = Arrivals(), 0.0
    for _ in range(3_600):
        now += 1.0
        assert idle.comes(now) is None
        idle.opened(now + 0.02)
    assert crowd(idle, now + 1.0, 20_000, 500) == fresh
    slow = Arrivals()
    crowd(slow, 0.0, 20_000, 60)
    assert crowd(slow, 4_000.0, 20_000, 500) == fresh


def test_what_is_further_ahead_than_a_minute_comes_spread() -> None:
    arrivals = Arrivals(most=1_000)
    turns = Counter(arrivals.comes(0.0) or 0 for _ in range(101_000))
    assert turns.pop(0) == 1_000
    assert max(turns) == 60
    assert max(turns.values()) <= 500 + 100_000 / 31
    seconds, most = crowd(Arrivals(), 0.0, 100_000, 1_000)
    assert (seconds <= 130, most <= 3_000) == (True, True)


def test_those_who_are_lost_are_no_pace() -> None:
    """Of a store that is away nobody gets a welcome: all leave after some seconds, and none was served."""
    arrivals = Arrivals(most=1_000)
    for _ in range(5):
        assert [arrivals.comes(0.0) for _ in range(1_000)] == [None] * 1_000
        for _ in range(1_000):
            arrivals.left()
    assert [arrivals.comes(1.0) for _ in range(1_000)] == [None] * 1_000
    assert [arrivals.comes(1.0) for _ in range(1_000)] == [turn for turn in (2, 3) for _ in range(500)]


def test_nobody_is_sent_away_for_longer_than_a_minute() -> None:
    arrivals = Arrivals(most=1)
    assert arrivals.comes(0.0) is None
    assert max(arrivals.comes(0.0) or 0 for _ in range(100_000)) == 60


def test_the_reason_is_short_enough_for_a_close_frame_and_has_the_seconds_at_its_end() -> None:
    assert re.search(r"reconnect after 60 s$", come_back_after(60))
    assert len(come_back_after(60).encode()) <= 123
