"""The circuit breaker's state machine (S24): Resilience4j's meaning, checked by examples and against a simple model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.payments import breaker
from core.payments.breaker import BreakerConfig, BreakerState, Mode
from core.payments.gateway import CallHealth

CONFIG = BreakerConfig()
OK, BAD, LATE, NOTHING = CallHealth.SUCCESS, CallHealth.FAILURE, CallHealth.TIMEOUT, CallHealth.IGNORED


def run(state: BreakerState, *healths: CallHealth, now: float = 0.0, seconds: float = 0.1) -> BreakerState:
    """Makes permitted calls, one after the other."""
    for health in healths:
        state, permit = breaker.admit(state, now, CONFIG)
        assert permit is not None
        state = breaker.record(state, permit, health, seconds, now, CONFIG)
    return state


def test_half_of_ten_calls_failed_opens() -> None:
    """S24: a window of 10, 50 per cent; not before the minimum of calls is there."""
    state = run(BreakerState(), *[BAD] * 5, *[OK] * 4)
    assert state.mode is Mode.CLOSED
    assert run(state, OK).mode is Mode.OPEN


def test_four_of_ten_stays_closed_and_old_calls_leave_the_window() -> None:
    state = run(BreakerState(), *[BAD] * 4, *[OK] * 6)
    assert state.mode is Mode.CLOSED
    # Four good ones push the four bad ones out: four new bad ones are no more than four of ten.
    state = run(state, *[OK] * 4, *[BAD] * 4)
    assert state.mode is Mode.CLOSED
    assert run(state, BAD).mode is Mode.OPEN


def test_three_timeouts_in_five_minutes_open_at_once() -> None:
    """S24, whatever the failure rate."""
    state = run(BreakerState(), *[OK] * 9)
    state = run(state, LATE, now=0)
    state = run(state, LATE, now=200)
    assert run(state, LATE, now=301).mode is Mode.CLOSED, "the first one is more than five minutes old"
    assert run(state, LATE, now=299).mode is Mode.OPEN


def test_an_open_circuit_keeps_calls_back_for_thirty_seconds_then_probes() -> None:
    """S24: half-open with three probes; a fourth is kept back."""
    state = run(BreakerState(), *[BAD] * 10, now=100)
    assert state.mode is Mode.OPEN
    assert breaker.admit(state, 129.9, CONFIG)[1] is None
    assert breaker.seconds_until_probe(state, 110, CONFIG) == 20
    permits = []
    for _ in range(4):
        state, permit = breaker.admit(state, 130, CONFIG)
        permits.append(permit)
    assert state.mode is Mode.HALF_OPEN
    assert permits[:3] == [state.generation] * 3
    assert permits[3] is None


@pytest.mark.parametrize(
    ("probes", "after"),
    [([OK, OK, OK], Mode.CLOSED), ([BAD, OK, OK], Mode.CLOSED), ([OK, BAD, BAD], Mode.OPEN), ([LATE] * 3, Mode.OPEN)],
)
def test_probes_decide_by_the_same_threshold(probes: list[CallHealth], after: Mode) -> None:
    state = run(BreakerState(), *[BAD] * 10)
    state = run(state, *probes[:2], now=30)
    assert state.mode is Mode.HALF_OPEN, "all probes are heard before the verdict"
    assert run(state, probes[2], now=30).mode is after


def test_a_probe_that_never_comes_back_counts_as_failed() -> None:
    """A process that died with its probe must not keep the circuit half open, and everybody out, for ever."""
    state = run(BreakerState(), *[BAD] * 10)
    for _ in range(3):
        state, _ = breaker.admit(state, 30, CONFIG)
    assert breaker.admit(state, 59, CONFIG)[1] is None
    state, permit = breaker.admit(state, 60, CONFIG)
    assert (state.mode, permit) == (Mode.OPEN, None)
    assert breaker.admit(state, 90, CONFIG)[1] is not None


def test_half_open_without_any_probe_taken_waits_for_one() -> None:
    state, _ = breaker.admit(run(BreakerState(), *[BAD] * 10), 30, CONFIG)
    state = breaker.record(state, state.generation, NOTHING, 0, 30, CONFIG)
    assert breaker.admit(state, 1000, CONFIG)[1] is not None


def test_slow_calls_count() -> None:
    """Ten calls that all took longer than the threshold open the circuit although each was answered."""
    assert run(BreakerState(), *[OK] * 10, seconds=8.0).mode is Mode.CLOSED
    assert run(BreakerState(), *[OK] * 10, seconds=8.1).mode is Mode.OPEN


def test_an_ignored_call_gives_its_permit_back() -> None:
    state = run(BreakerState(), *[BAD] * 10)
    for _ in range(20):
        state = run(state, NOTHING, now=30)
    assert (state.mode, state.permits, state.window) == (Mode.HALF_OPEN, 0, ())


def test_a_late_answer_from_before_the_change_decides_nothing() -> None:
    """A call that began while the circuit was closed ends while it is half open: it is no probe."""
    closed, old = breaker.admit(BreakerState(), 0, CONFIG)
    assert old is not None
    state, permit = breaker.admit(run(closed, *[BAD] * 10), 30, CONFIG)
    assert permit is not None
    for _ in range(5):
        state = breaker.record(state, old, BAD, 0.1, 30, CONFIG)
    assert (state.mode, state.window) == (Mode.HALF_OPEN, ())


def test_operators_force_it_open_closed_and_back() -> None:
    state = breaker.force(BreakerState(), Mode.FORCED_OPEN, 0)
    assert breaker.admit(state, 1e9, CONFIG)[1] is None
    assert breaker.seconds_until_probe(state, 0, CONFIG) is None
    state = breaker.force(state, Mode.DISABLED, 1)
    assert run(state, *[LATE] * 50, now=1).mode is Mode.DISABLED
    state = breaker.force(state, Mode.CLOSED, 2)
    assert run(state, *[BAD] * 10, now=2).mode is Mode.OPEN
    with pytest.raises(ValueError, match="HALF_OPEN"):
        breaker.force(state, Mode.HALF_OPEN, 3)


@given(st.binary(max_size=60))
def test_what_is_not_ours_is_no_state(text: bytes) -> None:
    """What another version, or anybody, left in Redis must not stop a payment."""
    breaker.from_json(text)


def test_a_state_survives_json() -> None:
    state = run(BreakerState(), OK, BAD, LATE, now=12.5)
    assert breaker.from_json(breaker.to_json(state)) == state
    assert breaker.from_json(b'{"mode": "AJAR", "generation": 1}') is None


class AgainstModel(RuleBasedStateMachine):
    """Any interleaving of asking, answering (in any order, also late), waiting and forcing, against plain lists."""

    def __init__(self) -> None:
        super().__init__()
        self.config = BreakerConfig(
            sliding_window_size=4,
            minimum_number_of_calls=3,
            permitted_number_of_calls_in_half_open_state=2,
            wait_duration_in_open_state=10,
            max_wait_duration_in_half_open_state=15,
            timeout_limit=2,
            timeout_period=20,
            slow_call_duration_threshold=5,
        )
        self.state = BreakerState()
        self.now = 0.0
        # The model: what a person would keep on paper.
        self.mode = Mode.CLOSED
        self.since = 0.0
        self.calls: list[tuple[bool, bool]] = []
        self.timeouts: list[float] = []
        self.probes = 0
        self.era = 0
        self.out: list[tuple[int, int]] = []  # (permit, era) of calls under way

    def turn(self, mode: Mode) -> None:
        self.mode, self.since, self.calls, self.timeouts, self.probes = mode, self.now, [], [], 0
        self.era += 1

    def tick(self) -> None:
        if self.mode is Mode.OPEN and self.now - self.since >= 10:
            self.turn(Mode.HALF_OPEN)
        elif self.mode is Mode.HALF_OPEN and self.now - self.since >= 15 and self.probes > 0:
            self.turn(Mode.OPEN)

    @rule()
    def ask(self) -> None:
        self.tick()
        allowed = self.mode in (Mode.CLOSED, Mode.DISABLED) or (self.mode is Mode.HALF_OPEN and self.probes < 2)
        self.state, permit = breaker.admit(self.state, self.now, self.config)
        assert (permit is not None) == allowed
        if permit is not None:
            self.out.append((permit, self.era))
            if self.mode is Mode.HALF_OPEN:
                self.probes += 1

    @precondition(lambda self: self.out)
    @rule(data=st.data(), health=st.sampled_from(list(CallHealth)), seconds=st.sampled_from([0.1, 5.0, 6.0]))
    def answer(self, data: st.DataObject, health: CallHealth, seconds: float) -> None:
        permit, era = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        self.state = breaker.record(self.state, permit, health, seconds, self.now, self.config)
        if era != self.era or self.mode not in (Mode.CLOSED, Mode.HALF_OPEN):
            return
        if health is NOTHING:
            self.probes = max(0, self.probes - 1)
            return
        self.calls.append((health is not OK, seconds > 5))
        if health is LATE:
            self.timeouts.append(self.now)
        if self.mode is Mode.CLOSED and len([at for at in self.timeouts if at > self.now - 20]) >= 2:
            self.turn(Mode.OPEN)
            return
        size = 4 if self.mode is Mode.CLOSED else 2
        last = self.calls[-size:]
        if len(last) < (3 if self.mode is Mode.CLOSED else 2):
            return
        if 2 * sum(bad for bad, _ in last) >= len(last) or all(slow for _, slow in last):
            self.turn(Mode.OPEN)
        elif self.mode is Mode.HALF_OPEN:
            self.turn(Mode.CLOSED)

    @rule(seconds=st.sampled_from([0.5, 3.0, 9.0, 10.0, 16.0, 25.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(mode=st.sampled_from(sorted(breaker.FORCEABLE)))
    def force(self, mode: Mode) -> None:
        self.state = breaker.force(self.state, mode, self.now)
        self.turn(mode)

    @invariant()
    def the_same_mode(self) -> None:
        assert self.state.mode is self.mode
        assert self.state.generation == self.era

    @invariant()
    def bounded(self) -> None:
        """Rule 8: nothing in it grows with the calls."""
        assert len(self.state.window) <= 4
        assert len(self.state.timeouts) <= 2
        assert self.state.permits <= 2

    @invariant()
    def json_is_the_same_state(self) -> None:
        assert breaker.from_json(breaker.to_json(self.state)) == self.state


AgainstModel.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestAgainstModel = AgainstModel.TestCase
