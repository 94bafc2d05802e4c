"""A crowd that comes back at once gets a moment each, as fast as the process opens channels (E1)."""

from __future__ import annotations

import math
import re

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
    assert (turns[0], 12 <= turns[-1] <= 13) == (3, True)
    assert turns == sorted(turns)
    assert max(turns.count(turn) for turn in set(turns)) <= 501


def test_turns_follow_the_pace_at_which_channels_are_opened() -> None:
    def last_turn(a_second: int) -> int:
        arrivals, now = Arrivals(most=1_000), 0.0
        for _ in range(10 * a_second):
            now += 1 / a_second
            assert arrivals.comes(now) is None
            arrivals.opened(now)
        return max(turn or 0 for turn in (arrivals.comes(now) for _ in range(6_000)))

    assert abs(last_turn(200) - 30) <= 2
    assert abs(last_turn(1_000) - 6) <= 1


def test_who_comes_when_told_finds_room_and_nobody_is_sent_for_ever() -> None:
    """A thousand a second are opened; all of 20,000 are in as soon as they can be, and hardly any is told twice."""
    arrivals = Arrivals(most=2_000)
    due = {0: 20_000}
    opening = opened = again = now = 0
    while opened < 20_000:
        for _ in range(due.pop(now, 0)):
            turn = arrivals.comes(now / 10)
            if turn is None:
                opening += 1
            else:
                again += 1
                due[now + 10 * turn] = due.get(now + 10 * turn, 0) + 1
        for _ in range(min(opening, 100)):
            arrivals.opened(now / 10)
            opening, opened = opening - 1, opened + 1
        now += 1
        assert now < 1_000
    assert math.ceil(now / 10) <= 60
    assert again < 40_000


def test_nobody_is_sent_away_for_longer_than_a_minute() -> None:
    arrivals = Arrivals(most=1)
    assert arrivals.comes(0.0) is None
    assert max(arrivals.comes(0.0) or 0 for _ in range(100_000)) == 60


def test_the_reason_is_short_enough_for_a_close_frame_and_has_the_seconds_at_its_end() -> None:
    assert re.search(r"reconnect after 60 s$", come_back_after(60))
    assert len(come_back_after(60).encode()) <= 123
