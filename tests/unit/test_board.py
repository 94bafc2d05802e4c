"""Rule 6: snapshot + changes = state, whatever is lost, repeated or late."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.seats.board import Board, BoardSnapshot

SEATS = 6
change = st.tuples(st.integers(0, SEATS - 1), st.integers(0, 3))


def _history(batches: list[list[tuple[int, int]]]) -> list[tuple[int, bytes, list[tuple[int, int]]]]:
    """(version after, states after, changes) of each message."""
    states, version, history = bytearray(SEATS), 0, []
    for batch in batches:
        for ordinal, state in batch:
            states[ordinal] = state
        version += len(batch)
        history.append((version, bytes(states), batch))
    return history


@given(st.lists(st.lists(change, min_size=1, max_size=4), max_size=12))
def test_replayed_changes_are_the_board(batches: list[list[tuple[int, int]]]) -> None:
    board = Board(BoardSnapshot(1, 0, bytes(SEATS)))
    for version, states, changes in _history(batches):
        assert board.apply(1, version, changes)
        assert board.snapshot() == BoardSnapshot(1, version, states)


@given(st.lists(st.lists(change, min_size=1, max_size=4), min_size=1, max_size=12), st.data())
def test_a_copy_is_right_or_says_that_it_is_not(batches: list[list[tuple[int, int]]], data: st.DataObject) -> None:
    """Messages are drawn in any order, with losses and repetitions; the copy resyncs when told of a gap."""
    history = _history(batches)
    truth = {0: bytes(SEATS)} | {version: states for version, states, _ in history}
    board = Board(BoardSnapshot(1, 0, bytes(SEATS)))
    for index in data.draw(st.lists(st.integers(0, len(history) - 1), max_size=30)):
        version, states, changes = history[index]
        if not board.apply(1, version, changes):
            board = Board(BoardSnapshot(1, version, states))
        assert bytes(board.states) == truth[board.version]


def test_a_new_epoch_is_a_gap_and_an_old_one_is_nothing() -> None:
    board = Board(BoardSnapshot(3, 5, bytes(SEATS)))
    assert not board.apply(4, 1, [(0, 1)])
    assert board.apply(2, 6, [(0, 1)])
    assert bytes(board.states) == bytes(SEATS)
