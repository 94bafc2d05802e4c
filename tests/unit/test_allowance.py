"""The rate limit of one channel (R8)."""

from __future__ import annotations

from core.process.rate import Allowance, Rate


def test_a_minutes_worth_may_come_at_once_and_then_one_for_each_share_of_it() -> None:
    allowance = Allowance(Rate(60))
    assert all(allowance.take(0.0) for _ in range(60))
    assert not allowance.take(0.0)
    assert not allowance.take(0.9)
    assert allowance.take(1.9)
    assert not allowance.take(1.95)


def test_a_long_silence_saves_up_no_more_than_a_minute() -> None:
    allowance = Allowance(Rate(60))
    assert sum(allowance.take(10_000.0) for _ in range(200)) == 60


def test_who_waits_as_told_is_allowed() -> None:
    rate, due = Rate(30), 0.0
    for _ in range(30):
        assert rate.wait(due, 100.0) == 0
        due = rate.after(due, 100.0)
    wait = rate.wait(due, 100.0)
    assert wait == 2
    assert rate.wait(due, 100.0 + wait) == 0
