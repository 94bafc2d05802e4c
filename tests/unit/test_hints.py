"""How often a provider's webhooks make one process ask, by its own account (P6)."""

from __future__ import annotations

import pytest

from core.booking.hints import A_SECOND, LONGEST_SECONDS, ORDER_SECONDS, PAUSE_SECONDS, Hints


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def hints(time: Time) -> Hints:
    return Hints(time)


def test_one_look_up_in_ten_seconds_an_order(hints: Hints, time: Time) -> None:
    """The first at once, the second when its time has come: it is that one which sees what happened in between."""
    assert hints.wait("a") == 0.0
    time.now += 1
    assert hints.wait("a") == ORDER_SECONDS - 1
    assert hints.is_kept("a")
    assert [hints.wait("a") for _ in range(50)] == [None] * 50
    time.now += ORDER_SECONDS
    assert not hints.is_kept("a")
    assert hints.wait("a") == ORDER_SECONDS - 1


def test_five_in_a_second_whatever_they_are_about(hints: Hints) -> None:
    waits = [hints.wait(f"order-{number}") for number in range(20)]
    assert waits == pytest.approx([number / A_SECOND for number in range(20)])


def test_a_planned_one_has_its_turn_among_the_others(hints: Hints, time: Time) -> None:
    hints.wait("a")
    assert hints.wait("a") == ORDER_SECONDS
    time.now += ORDER_SECONDS - PAUSE_SECONDS / 2
    assert hints.wait("b") == pytest.approx(1.5 * PAUSE_SECONDS), "a fifth of a second after the one that is planned"


def test_what_could_only_be_asked_much_later_is_not_asked(hints: Hints, time: Time) -> None:
    waits = [hints.wait(f"order-{number}") for number in range(400)]
    taken = [wait for wait in waits if wait is not None]
    assert max(taken) <= LONGEST_SECONDS
    assert len(taken) == pytest.approx(LONGEST_SECONDS * A_SECOND, abs=2)
    assert waits[-1] is None
    time.now += 2 * LONGEST_SECONDS
    assert hints.wait("order-399") == 0.0, "nothing of it is kept"
    assert len(hints._looks) == 1


def test_a_turn_that_is_anothers_is_no_turn_of_ours(hints: Hints) -> None:
    hints.wait("a")
    hints.wait("a")
    hints.forget("a")
    assert hints.wait("a") == 0.0
