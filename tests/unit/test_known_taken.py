"""A seat is refused without Redis only where all that has to be known is known (S3, E1); rule 4: `not_active` first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from core.seats.board import BoardSnapshot
from core.seats.known_taken import KNOWN_SECONDS, KnownTaken, Taken
from core.venue.event import Event
from realtime.board_mirror import BoardMessage, BoardMirror

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed


class Sale:
    slug = "summer"
    max_seats = 4


class Board:
    """Seats 1 and 2 are taken; `in_step` False: something may have been missed."""

    def __init__(self) -> None:
        self.in_step = True

    def taken(self, ordinals: Sequence[int]) -> Taken | None:
        return Taken([one for one in ordinals if one in (1, 2)], 3, 17) if self.in_step else None


EVENT = cast(Event, Sale())


class World:
    def __init__(self) -> None:
        self.clock, self.board = Clock(), Board()
        self.known = KnownTaken(self.clock)
        self.known.follow(EVENT.slug, self.board)

    def answered(self, visitor: str = "v", own: Sequence[int] = (), lasts: float = 600) -> None:
        """Redis has answered a hold of this visitor."""
        self.clock.passed += 0.001
        asked = self.known.asked()
        self.clock.passed += 0.001
        self.known.note(EVENT.slug, visitor, self.clock.now() + timedelta(seconds=lasts), own, asked)

    def refused(self, *ordinals: int, visitor: str = "v") -> dict[str, Any] | None:
        refusal = self.known.refusal(EVENT, visitor, ordinals)
        return None if refusal is None else refusal.data


@pytest.fixture
def world() -> World:
    return World()


def test_a_taken_seat_is_refused_with_the_version_that_says_so(world: World) -> None:
    world.answered()
    assert world.refused(0, 1, 5) == {"seats": [1], "board": {"epoch": 3, "version": 17}}


def test_what_is_free_is_never_refused(world: World) -> None:
    world.answered()
    assert world.refused(0, 5) is None


def test_of_who_has_not_been_heard_of_nothing_is_known(world: World) -> None:
    """`not_active` is Redis' to say, and comes first."""
    world.answered()
    assert world.refused(1, visitor="another") is None


def test_ones_own_seats_are_no_refusal(world: World) -> None:
    world.answered(own=[1])
    assert world.refused(1) is None
    assert world.refused(1, 2) == {"seats": [2], "board": {"epoch": 3, "version": 17}}


def test_too_many_seats_come_first(world: World) -> None:
    world.answered(own=[7, 8, 9])
    assert world.refused(1) is not None
    assert world.refused(1, 5) is None


def test_a_mirror_that_may_have_missed_something_knows_nothing(world: World) -> None:
    """The negative control: the same seat, the same visitor, and Redis is asked."""
    world.answered()
    world.board.in_step = False
    assert world.refused(1) is None


def test_without_a_mirror_nothing_is_known(world: World) -> None:
    world.answered()
    world.known.unfollow(EVENT.slug, Board())  # another one's
    assert world.refused(1) is not None
    world.known.unfollow(EVENT.slug, world.board)
    assert world.refused(1) is None


def test_redis_word_on_a_visitor_grows_old(world: World) -> None:
    world.answered()
    world.clock.passed += KNOWN_SECONDS + 0.1
    assert world.refused(1) is None


def test_a_session_that_is_about_to_end_is_redis_to_judge(world: World) -> None:
    world.answered(lasts=0.5)
    assert world.refused(1) is None


def test_what_changes_of_a_visitor_makes_it_unknown(world: World) -> None:
    world.answered()
    world.known.forget(EVENT.slug, "v")
    assert world.refused(1) is None
    world.answered()
    assert world.refused(1) is not None
    with world.known.changing(EVENT.slug, "v"):
        world.answered()  # asked while it changed
        assert world.refused(1) is not None
    assert world.refused(1) is None
    world.answered()
    world.answered(visitor="w")
    world.known.forget_all(EVENT.slug)
    assert world.refused(1) is None
    assert world.refused(1, visitor="w") is None


def test_an_answer_from_before_a_change_does_not_count(world: World) -> None:
    """The answer and the news of the change come by two ways: the older may come last."""
    asked = world.known.asked()
    world.clock.passed += 0.001
    world.known.forget(EVENT.slug, "v")
    world.known.note(EVENT.slug, "v", world.clock.now() + timedelta(seconds=600), [], asked)
    assert world.refused(1) is None


def test_an_answer_from_before_a_gap_does_not_count(world: World) -> None:
    """Nothing was known of the visitor when something was missed: it may have been of this one."""
    world.clock.passed += 0.001
    asked = world.known.asked()
    world.clock.passed += 0.001
    world.known.forget_all(EVENT.slug)
    world.known.note(EVENT.slug, "v", world.clock.now() + timedelta(seconds=600), [], asked)
    assert world.refused(1) is None


def test_the_mirror_says_nothing_of_seats_that_are_changing() -> None:
    """A change that has come and was not sent yet: the board that browsers have is older."""
    mirror = BoardMirror()
    assert mirror.taken([1]) is None
    mirror.load(BoardSnapshot(1, 10, bytes([0, 1, 2, 3, 1])))
    assert mirror.taken([0, 1, 2, 3, 4, 99]) == Taken([1, 2, 3, 4], 1, 10)
    mirror.take(BoardMessage(1, 11, [(4, 0)]))
    assert mirror.taken([0, 1, 4]) == Taken([1], 1, 10)
    mirror.flush()
    assert mirror.taken([0, 1, 4]) == Taken([1], 1, 11)
