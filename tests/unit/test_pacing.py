"""Places are told at once near the head and by turns further back, under a budget, and nobody starves."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from realtime.pacing import NEAR, Pacing, ToldPlace, worth_telling

FAR = NEAR + 1


def test_who_is_near_the_head_is_told_at_the_next_tick_whatever_the_budget() -> None:
    pacing = Pacing()
    for n in range(50):
        pacing.mark(f"near-{n}", n)
        pacing.mark(f"far-{n}", FAR)
    assert list(pacing.due(0)) == [f"near-{n}" for n in range(50)]
    assert list(pacing.due(10)) == [f"far-{n}" for n in range(10)]
    assert len(pacing) == 40


def test_the_others_take_turns_in_the_order_in_which_they_became_due() -> None:
    pacing = Pacing()
    for visitor in "abcd":
        pacing.mark(visitor, FAR)
    assert list(pacing.due(2)) == ["a", "b"]
    for visitor in "abcd":  # all moved again: who is due keeps the turn
        pacing.mark(visitor, FAR)
    assert list(pacing.due(2)) == ["c", "d"]
    assert list(pacing.due(2)) == ["a", "b"]
    assert list(pacing.due(2)) == []


def test_who_comes_near_is_told_once() -> None:
    pacing = Pacing()
    pacing.mark("v", FAR)
    pacing.mark("v", NEAR)
    pacing.mark("v", FAR)
    assert list(pacing.due(10)) == ["v"]
    assert len(pacing) == 0


def test_who_waits_no_more_is_not_told() -> None:
    pacing = Pacing()
    pacing.mark("near", 0)
    pacing.mark("far", FAR)
    pacing.forget("near")
    pacing.forget("far")
    pacing.forget("nobody")
    assert list(pacing.due(10)) == []


def test_a_caller_that_stops_in_the_middle_loses_only_the_one_it_had() -> None:
    """R1: a message that cannot be made for one visitor keeps the others in their turn."""
    pacing = Pacing()
    for visitor in "abc":
        pacing.mark(visitor, 0)
    assert list(islice(pacing.due(10), 1)) == ["a"]
    assert list(pacing.due(10)) == ["b", "c"]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 2 * NEAR)) | st.integers(0, 3), min_size=1, max_size=60
    )
)
def test_everybody_who_is_due_is_told_in_the_end_and_nobody_twice_for_one_change(
    steps: list[tuple[str, int] | int],
) -> None:
    pacing, due = Pacing(), set[str]()
    for step in [*steps, *([3] * 8)]:
        if isinstance(step, tuple):
            pacing.mark(*step)
            due.add(step[0])
        else:
            for visitor in pacing.due(step):
                assert visitor in due
                due.remove(visitor)
    assert not due
    assert len(pacing) == 0


def test_what_is_worth_a_message() -> None:
    told = ToldPlace(ahead=200, waiting=300, eta=100)
    assert worth_telling(None, told)
    assert not worth_telling(told, told)
    assert worth_telling(told, told._replace(ahead=199)), "a place that moved, always"
    assert not worth_telling(told, told._replace(eta=110)), "a tenth"
    assert worth_telling(told, told._replace(eta=111))
    assert worth_telling(told, told._replace(waiting=331))
    assert worth_telling(told, told._replace(eta=None))
    few = ToldPlace(ahead=1, waiting=2, eta=3)
    assert not worth_telling(few, few._replace(waiting=7, eta=8)), "five of few are no news"
    unknown = told._replace(eta=None)
    assert not worth_telling(unknown, unknown)


def test_who_is_forgotten_while_others_are_told_is_not_told() -> None:
    """R1: the teller lets other work in between two messages, and a browser may go meanwhile."""
    pacing = Pacing()
    for number, visitor in enumerate("abcd"):
        pacing.mark(visitor, 0 if number < 2 else FAR)
    told = []
    for visitor in pacing.due(10):
        told.append(visitor)
        pacing.forget("b")
        pacing.forget("d")
    assert told == ["a", "c"]
