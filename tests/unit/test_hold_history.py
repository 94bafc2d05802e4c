"""The checker of the crash runs finds what it is for, and nothing in what a real seat answers."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hold_history import ANYBODY, BOARD_SECONDS, UNKNOWN, Call, Told, explained


def held(visitor: str, sent: float, answered: float, until: float = 100.0) -> Call:
    return Call(visitor, Told.HELD, sent, answered, until)


def test_two_holds_one_after_the_other_without_a_release_are_a_fault() -> None:
    assert not explained([held("kim", 0, 1), held("lee", 2, 3)])


def test_the_second_is_right_after_the_first_has_ended() -> None:
    assert explained([held("kim", 0, 1, until=2), held("lee", 2.5, 3)])
    assert not explained([held("kim", 0, 1, until=4), held("lee", 2, 3)])
    assert explained([held("kim", 0, 1), Call("kim", Told.FREED, 1, 2), held("lee", 1.5, 3)])


def test_a_hold_and_a_refusal_at_once_have_one_order() -> None:
    both = [held("kim", 0, 3), Call("lee", Told.TAKEN, 1, 2)]
    assert explained(both)
    assert not explained(both[1:]), "nobody had it"
    assert explained(both[1:], UNKNOWN)


def test_a_release_of_a_seat_whose_holder_nobody_knows_may_have_freed_it_or_not() -> None:
    freed = Call("kim", Told.FREED, 0, 1)
    assert explained([freed, Call("lee", Told.TAKEN, 2, 3)], UNKNOWN)
    assert explained([freed, held("lee", 2, 3)], UNKNOWN)
    assert not explained([freed, Call("lee", Told.TAKEN, 2, 3)]), "nobody had it"


def test_a_refusal_by_a_board_from_before_is_true_of_then_whoever_had_it() -> None:
    before = [held("kim", 10, 11), Call("kim", Told.FREED, 11.5, 12)]
    for by in ("kim", "lee"):
        assert not explained([*before, Call(by, Told.TAKEN, 12.5, 13)]), "nobody had it any more"
    assert explained([*before, Call(ANYBODY, Told.TAKEN, 12.5 - BOARD_SECONDS, 13)])
    assert not explained([*before, Call(ANYBODY, Told.TAKEN, 20 - BOARD_SECONDS, 20)]), "a board of long ago"


def test_a_lost_answer_may_have_held_or_not() -> None:
    lost = Call("kim", Told.LOST_HOLD, 0, math.inf, until=50)
    assert explained([lost, held("lee", 2, 3)])
    assert explained([lost, Call("lee", Told.TAKEN, 2, 3)])
    assert not explained([lost, Call("lee", Told.TAKEN, 2, 3), held("max", 4, 5)]), "kim's hold is not over"


def test_what_was_bought_is_never_anybody_elses() -> None:
    assert not explained([held("kim", 0, 1, until=math.inf), held("lee", 90, 91)])


@pytest.mark.parametrize("forgets", [False, True])
def test_a_seat_that_forgets_is_found(forgets: bool) -> None:
    """The negative control: a seat which loses its holder now and then does not pass."""
    dice = random.Random(7)
    owner, until, calls = None, 0.0, []
    for step in range(60):
        now, visitor = float(step), dice.choice("abcd")
        if owner is not None and now > until:
            owner = None
        if forgets and step == 30:
            assert owner is not None
            visitor, owner = next(one for one in "abcd" if one != owner), None
        if owner == visitor and dice.random() < 0.3:
            calls.append(Call(visitor, Told.FREED, now, now + 0.5))
            owner = None
        elif owner in (None, visitor):
            owner, until = visitor, max(until, now + 8.5) if owner else now + 8.5
            calls.append(held(visitor, now, now + 0.5, until))
        else:
            calls.append(Call(visitor, Told.TAKEN, now, now + 0.5))
    assert explained(calls) is not forgets


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 3), st.floats(0, 3), st.booleans()), max_size=12))
def test_what_a_real_seat_answers_is_explained(steps: list[tuple[str, float, float, bool]]) -> None:
    """Calls that overlap: each takes effect at its own moment, in the order of the list."""
    owner, calls = None, []
    for moment, (visitor, before, after, lost) in enumerate(steps, 1):
        at = float(moment)
        mine = owner in (None, visitor)
        owner = visitor if mine else owner
        told = Told.LOST_HOLD if lost else Told.HELD if mine else Told.TAKEN
        calls.append(Call(visitor, told, at - before, math.inf if lost else at + after))
    assert explained(calls)
