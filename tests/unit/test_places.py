"""S7: the places that are computed in the process are those of the queue, however late messages and answers come."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from realtime.places import Base, Heard, Places, Tracked


class Queue:
    """The queue as Redis keeps it: a plain sorted list of numbers, a version, and what was published."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.last = 0
        self.version = 0
        self.published: list[tuple[int, list[int], list[int]]] = []

    def join(self) -> int:
        self.last += 1
        self.numbers.append(self.last)
        return self.last

    def move(self, left: list[int], returned: list[int]) -> None:
        self.numbers = sorted({*self.numbers, *returned} - set(left))
        if left or returned:
            self.version += 1
        self.published.append((self.version, left, returned))

    def ahead(self, number: int) -> int:
        return self.numbers.index(number)


class PlacesMachine(RuleBasedStateMachine):
    """Joins, departures and returns; answers and messages arrive late, each in its own time; some get lost."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue()
        self.places = Places(0, remember=6)
        self.arrived = 0
        self.gap = False
        self.away: list[int] = []
        #: Answers on their way: visitor -> (number, ahead, version).
        self.answers: dict[str, tuple[int, int, int]] = {}

    @rule(ours=st.booleans())
    def join(self, ours: bool) -> None:
        number = self.queue.join()
        if ours:
            self.answers[f"v{number}"] = (number, self.queue.ahead(number), self.queue.version)

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def answer_arrives(self, data: st.DataObject) -> None:
        self._track(data.draw(st.sampled_from(sorted(self.answers))))

    @precondition(lambda self: self.queue.numbers)
    @rule(data=st.data())
    def some_leave(self, data: st.DataObject) -> None:
        left = data.draw(st.lists(st.sampled_from(self.queue.numbers), min_size=1, max_size=4, unique=True))
        self.away += left
        self.queue.move(left, [])

    @precondition(lambda self: self.away)
    @rule(data=st.data(), admit=st.booleans())
    def one_returns(self, data: st.DataObject, admit: bool) -> None:
        number = data.draw(st.sampled_from(self.away))
        if admit:  # returned and let in by the same script
            self.queue.move([number], [number])
        else:
            self.away.remove(number)
            self.queue.move([], [number])

    @rule()
    def sweep_finds_nothing_to_do(self) -> None:
        self.queue.move([], [])

    @precondition(lambda self: self.arrived < len(self.queue.published))
    @rule()
    def message_arrives(self) -> None:
        self._deliver()

    @precondition(lambda self: self.arrived < len(self.queue.published))
    @rule()
    def message_is_lost(self) -> None:
        self.arrived += 1

    @precondition(lambda self: self.gap)
    @rule()
    def all_places_are_fetched(self) -> None:
        self._fetch()

    @rule()
    def tick(self) -> None:
        self.places.changed()

    @invariant()
    def places_in_step_are_exact(self) -> None:
        if self.gap or self.places.version != self.queue.version:
            return
        for number in self.queue.numbers:
            entry = self.places.entry(f"v{number}")
            if entry is not None and entry.number == number and entry.version == self.queue.version:
                assert entry.ahead == self.queue.ahead(number)

    def teardown(self) -> None:
        """When everything has arrived, every place is the queue's."""
        while self.arrived < len(self.queue.published):
            self._deliver()
        for visitor in sorted(self.answers):
            self._track(visitor)
        self.queue.move([], [])
        self._deliver()
        if self.gap:
            self._fetch()
        assert self.places.version == self.queue.version
        for visitor in self.places.visitors():
            entry = self.places.entry(visitor)
            assert entry is not None
            assert entry.ahead == self.queue.ahead(entry.number)

    def _deliver(self) -> None:
        version, left, returned = self.queue.published[self.arrived]
        self.arrived += 1
        if self.gap:
            return  # the feed holds it back; fetching later than it makes it old
        if self.places.hear(version, left, returned) is Heard.GAP:
            self.gap = True
            return
        for number in left:  # `admitted` and `out` name the visitors that left
            self.places.forget(f"v{number}")

    def _track(self, visitor: str) -> None:
        answer = self.answers.pop(visitor)
        if self.places.track(visitor, *answer) is Tracked.TRACKED:
            return
        # Asked again, as the feed does.
        number = answer[0]
        if number in self.queue.numbers:
            again = (number, self.queue.ahead(number), self.queue.version)
            assert self.places.track(visitor, *again) is Tracked.TRACKED

    def _fetch(self) -> None:
        self.arrived = len(self.queue.published)
        bases = {
            visitor: Base(int(visitor[1:]), self.queue.ahead(int(visitor[1:])), self.queue.version)
            for visitor in self.places.visitors()
            if int(visitor[1:]) in self.queue.numbers
        }
        gone = self.places.reset(self.queue.version, bases)
        assert not set(gone) & set(bases)
        self.gap = False


TestPlaces = PlacesMachine.TestCase
TestPlaces.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


def test_only_departures_before_me_bring_me_forward() -> None:
    places = Places(7)
    places.track("me", number=50, ahead=10, version=7)
    assert places.hear(8, left=[3, 60, 49], returned=[4]) is Heard.APPLIED
    entry = places.entry("me")
    assert entry is not None
    assert entry.ahead == 10 - 2 + 1
    assert [entry.visitor for entry in places.changed()] == ["me"]
    assert places.changed() == []


def test_an_answer_newer_than_the_channel_skips_what_it_has_seen() -> None:
    places = Places(7)
    assert places.track("me", number=50, ahead=4, version=9) is Tracked.TRACKED
    places.hear(8, [1], [])
    places.hear(9, [2], [])
    places.hear(10, [3], [])
    entry = places.entry("me")
    assert entry is not None
    assert (entry.ahead, entry.version) == (3, 10)


def test_an_answer_older_than_the_channel_is_made_up_for() -> None:
    places = Places(7)
    places.hear(8, [1], [])
    places.hear(9, [2, 70], [])
    assert places.track("me", number=50, ahead=4, version=7) is Tracked.TRACKED
    entry = places.entry("me")
    assert entry is not None
    assert entry.ahead == 2


def test_an_answer_of_who_has_left_since_is_refused() -> None:
    places = Places(7)
    places.hear(8, [50], [])
    assert places.track("me", number=50, ahead=0, version=7) is Tracked.LEFT
    assert "me" not in places


def test_an_answer_older_than_what_is_remembered_is_refused() -> None:
    places = Places(7, remember=2)
    for version in (8, 9, 10):
        places.hear(version, [version], [])
    assert places.track("me", number=50, ahead=4, version=7) is Tracked.STALE
    assert places.track("me", number=50, ahead=4, version=8) is Tracked.TRACKED


@pytest.mark.parametrize(("version", "left"), [(9, [1]), (8, [])])
def test_a_missing_message_is_noticed(version: int, left: list[int]) -> None:
    """Also by the next sweep that moved nobody: it repeats the version that is current."""
    assert Places(7).hear(version, left, []) is Heard.GAP


def test_a_queue_begun_anew_makes_newer_looking_places_void() -> None:
    places = Places(500)
    places.track("stays", number=50, ahead=4, version=500)
    places.track("gone", number=51, ahead=5, version=501)
    assert places.reset(3, {"stays": Base(50, 0, 3)}) == ["gone"]
    entry = places.entry("stays")
    assert entry is not None
    assert (entry.ahead, entry.version) == (0, 3)


def test_who_joined_while_all_places_were_fetched_keeps_the_newer_answer() -> None:
    places = Places(7)
    places.track("before", number=50, ahead=4, version=7)
    places.track("after", number=51, ahead=4, version=10)
    assert places.reset(9, {"before": Base(50, 3, 9)}) == []
    places.hear(10, [1], [])
    before, after = places.entry("before"), places.entry("after")
    assert before is not None
    assert after is not None
    assert (before.ahead, after.ahead) == (2, 4)
