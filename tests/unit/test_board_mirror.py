"""Rule 6: every board converges. Snapshot + changes = state, under any order, repetition and loss of messages."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.seats.board import BoardSnapshot
from realtime.board_mirror import Batch, BoardMessage, BoardMirror
from realtime.resync import CatchUp

SEATS = 6


MOST_HELD = 2_000


class Feed:
    """The mirror as the seat feed keeps it in step, without the waiting."""

    def __init__(self) -> None:
        self.mirror = BoardMirror()
        self.load, self.take, self.withdraw = self.mirror.load, self.mirror.take, self.mirror.withdraw
        self.catch_up: CatchUp[BoardSnapshot, BoardMessage] = CatchUp(self, most_held=MOST_HELD)

    def hear(self, epoch: int, version: int, changes: list[tuple[int, int]]) -> bool:
        return self.catch_up.hear(BoardMessage(epoch, version, changes))


class Origin:
    """The board as Redis has it, and every message that it published."""

    def __init__(self) -> None:
        self.epoch, self.version = 1, 0
        self.states = bytearray(SEATS)
        self.published: list[tuple[int, int, list[tuple[int, int]]]] = []
        self.history: dict[tuple[int, int], bytes] = {(1, 0): bytes(SEATS)}

    def change(self, changes: list[tuple[int, int]]) -> None:
        for ordinal, state in changes:
            self.states[ordinal] = state
            self.version += 1
            self.history[self.epoch, self.version] = bytes(self.states)
        self.published.append((self.epoch, self.version, changes))

    def rebuild(self, states: list[int]) -> None:
        self.epoch, self.version, self.states = self.epoch + 1, 0, bytearray(states)
        self.history[self.epoch, 0] = bytes(self.states)
        self.published.append((self.epoch, 0, []))

    def snapshot(self) -> BoardSnapshot:
        return BoardSnapshot(self.epoch, self.version, bytes(self.states))


class Browser:
    """What one watching browser makes of the messages, by the rules of `realtime/wire.py`."""

    def __init__(self, board: BoardSnapshot) -> None:
        self.take_board(board)

    def take_board(self, board: BoardSnapshot) -> None:
        self.epoch, self.version, self.states = board.epoch, board.version, bytearray(board.states)

    def take(self, batch: Batch) -> None:
        assert batch.epoch == self.epoch, "changes of another board than the browser has"
        assert batch.version - len(batch.changes) == self.version, "a gap for a browser in step"
        for ordinal, state in batch.changes:
            self.states[ordinal] = state
        self.version = batch.version


changes = st.lists(st.tuples(st.integers(0, SEATS - 1), st.integers(0, 3)), min_size=1, max_size=4)


class MirrorMachine(RuleBasedStateMachine):
    """The feed's steps in any order: Redis changes, messages arrive or are lost or repeated, snapshots come late."""

    def __init__(self) -> None:
        super().__init__()
        self.origin = Origin()
        self.feed = Feed()
        self.mirror = self.feed.mirror
        self.arrived = 0
        self.late: BoardSnapshot | None = None
        self.wants_snapshot = True
        self.browsers: list[Browser] = []
        self.board_due = False

    @initialize(before=changes)
    def subscribe(self, before: list[tuple[int, int]]) -> None:
        self.origin.change(before)
        self.arrived = len(self.origin.published)

    @rule(changed=changes)
    def redis_changes(self, changed: list[tuple[int, int]]) -> None:
        self.origin.change(changed)

    @rule(states=st.lists(st.integers(0, 3), min_size=SEATS, max_size=SEATS))
    def redis_is_lost_and_rebuilt(self, states: list[int]) -> None:
        self.origin.rebuild(states)

    @precondition(lambda self: self.arrived < len(self.origin.published))
    @rule(again=st.booleans())
    def message_arrives(self, again: bool) -> None:
        for _ in range(2 if again else 1):
            self._receive(self.origin.published[self.arrived])
        self.arrived += 1

    @precondition(lambda self: self.arrived > 0)
    @rule(data=st.data())
    def old_message_arrives_again(self, data: st.DataObject) -> None:
        self._receive(self.origin.published[data.draw(st.integers(0, self.arrived - 1))])

    @precondition(lambda self: self.arrived < len(self.origin.published))
    @rule()
    def message_is_lost_with_the_connection(self) -> None:
        """Pub/sub drops it; the reconnection is noticed and asks for a snapshot."""
        self.arrived += 1
        self.feed.catch_up.begin()
        self.wants_snapshot, self.late = True, None

    @precondition(lambda self: self.wants_snapshot and self.late is None)
    @rule()
    def snapshot_is_read(self) -> None:
        self.feed.catch_up.begin()
        self.late = self.origin.snapshot()

    @precondition(lambda self: self.late is not None)
    @rule()
    def snapshot_comes(self) -> None:
        assert self.late is not None
        had = self.mirror.snapshot() if self.mirror.loaded else None
        self.wants_snapshot = not self.feed.catch_up.apply(self.late)
        now = self.mirror.snapshot()
        self.late = None
        if had is None or (had.epoch, had.version) != (now.epoch, now.version) or self.wants_snapshot:
            self.board_due = True

    @precondition(lambda self: self.mirror.loaded)
    @rule()
    def feed_sends(self) -> None:
        """What `SeatFeed` does at each turn: the board when it is due, then the changes that wait."""
        if self.board_due:
            for browser in self.browsers:
                browser.take_board(self.mirror.snapshot())
            self.board_due = False
        batch = self.mirror.flush()
        if batch is not None:
            for browser in self.browsers:
                browser.take(batch)

    @precondition(lambda self: self.mirror.loaded)
    @rule()
    def browser_comes(self) -> None:
        self.browsers.append(Browser(self.mirror.snapshot()))

    def _receive(self, message: tuple[int, int, list[tuple[int, int]]]) -> None:
        if not self.feed.hear(*message):
            self.wants_snapshot, self.late = True, None

    @invariant()
    def a_mirror_is_a_board_that_was(self) -> None:
        if self.mirror.loaded:
            snapshot = self.mirror.snapshot()
            assert snapshot.states == self.origin.history[snapshot.epoch, snapshot.version]

    def teardown(self) -> None:
        """When all has arrived, everybody has what Redis has."""
        while self.wants_snapshot or self.arrived < len(self.origin.published):
            if self.wants_snapshot:
                if self.late is None:
                    self.snapshot_is_read()
                self.snapshot_comes()
            else:
                self._receive(self.origin.published[self.arrived])
                self.arrived += 1
        self.feed_sends()
        assert self.mirror.snapshot() == self.origin.snapshot()
        for browser in self.browsers:
            assert (browser.epoch, browser.version) == (self.origin.epoch, self.origin.version)
            assert browser.states == self.origin.states


TestBoardMirror = MirrorMachine.TestCase
TestBoardMirror.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_messages_held_back_are_bounded_and_still_lead_to_the_truth() -> None:
    """Rule 8, also in a process that Redis tells but does not answer."""
    origin, feed = Origin(), Feed()
    for turn in range(3 * MOST_HELD):
        origin.change([(turn % SEATS, turn % 4)])
        assert feed.hear(*origin.published[-1])
        if turn == 10:
            early = origin.snapshot()
    assert feed.catch_up.held == MOST_HELD
    assert not feed.catch_up.apply(early), "the messages in between were forgotten: that is a gap"
    assert feed.catch_up.behind
    assert feed.catch_up.apply(origin.snapshot())
    assert feed.mirror.snapshot() == origin.snapshot()


def test_of_a_message_that_is_partly_known_only_the_rest_is_sent() -> None:
    feed = Feed()
    assert feed.catch_up.apply(BoardSnapshot(1, 5, bytes(SEATS)))
    assert feed.hear(1, 7, [(0, 1), (1, 1), (2, 1)])
    assert feed.mirror.flush() == Batch(1, 7, [(1, 1), (2, 1)])


def test_a_snapshot_older_than_what_was_heard_loses_nothing() -> None:
    """As from a replica that lags behind the server that published."""
    feed = Feed()
    feed.catch_up.apply(BoardSnapshot(1, 5, bytes(SEATS)))
    feed.hear(1, 6, [(0, 1)])
    feed.catch_up.begin()
    feed.hear(1, 7, [(1, 1)])
    assert feed.catch_up.apply(BoardSnapshot(1, 5, bytes(SEATS)))
    assert feed.mirror.flush() == Batch(1, 7, [(0, 1), (1, 1)])
    assert feed.mirror.snapshot().states == bytes([1, 1, 0, 0, 0, 0])
