"""An attempt to pay and the policy of a provider's answers: rule 2, P1, P2, P9, P11, S25, S27."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.booking.attempt import (
    LAST_SECONDS,
    MOST_ATTEMPTS,
    MOST_ATTEMPTS_IN_ALL,
    UNSENT,
    AttemptState,
    Circumstances,
    Owed,
    Question,
    Step,
    confirm_key,
    decide,
    order_number,
    retry_end,
)
from core.booking.hints import A_SECOND, LONGEST_SECONDS, ORDER_SECONDS, Hints
from core.booking.refund import MOST_REFUND_TRIES, REFUND_TRIES, NextRefund, is_done, next_refund
from core.booking.reservation import Reason
from core.payments.gateway import ChargeOutcome, ChargeResult

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOOLS = (False, True)

CASES = [
    (question, ChargeResult(outcome, shops_fault=shops), Circumstances(past, fresh, idempotent, parks))
    for question, outcome, shops, past, fresh, idempotent, parks in product(
        Question, ChargeOutcome, BOOLS, BOOLS, BOOLS, BOOLS, BOOLS
    )
]
#: (question, outcome) after which nothing of the order can become a charge any more.
PROVEN_OVER = {
    (Question.CONFIRM, ChargeOutcome.DECLINED),
    (Question.LOOK_UP, ChargeOutcome.DECLINED),
    (Question.CONFIRM, ChargeOutcome.NOT_CHARGED),
    # A virtual account: cancelled there at once.
    (Question.CONFIRM, ChargeOutcome.AWAITING_DEPOSIT),
    (Question.LOOK_UP, ChargeOutcome.AWAITING_DEPOSIT),
}


#: One of these a reservation at most (a unique index says so).
LIVE = {AttemptState.OPEN, AttemptState.AUTHORISED, AttemptState.CALLED, AttemptState.APPROVED}


@pytest.mark.parametrize(("question", "result", "at"), CASES)
def test_every_answer_has_a_right_end(question: Question, result: ChargeResult, at: Circumstances) -> None:
    """Rule 2, for all of the 512 cases."""
    verdict, outcome = decide(question, result, at), result.outcome
    # A ticket for an approved charge, and for nothing else.
    assert (
        (verdict.step is Step.CONFIRM)
        == (outcome is ChargeOutcome.APPROVED)
        == (verdict.state is AttemptState.APPROVED)
    )
    # A next attempt needs proof of the last one's end.
    if verdict.step is Step.RETRY:
        assert (question, outcome) in PROVEN_OVER
        assert verdict.state not in LIVE
        # What was authorised and is not captured is let go of; what was declined has nothing left.
        assert (verdict.owed is None) == (outcome is ChargeOutcome.DECLINED and verdict.state is AttemptState.DECLINED)
    # The genuine key is still good after a forged one, and nothing else opens an attempt again.
    assert (verdict.step is Step.REOPEN) == (outcome is ChargeOutcome.WRONG_KEY) == (verdict.state is AttemptState.OPEN)
    if verdict.step is Step.SEND_AGAIN:
        # Never at a provider that would charge a second time; never with a key that may be over.
        assert (outcome, at.idempotent, at.fresh, at.past_deadline) == (ChargeOutcome.AUTHORISED, True, True, False)
    if verdict.step is Step.END:
        assert verdict.state is AttemptState.VOIDED
        # Closed for good only when the provider itself has cancelled it; else it is made sure of there.
        assert verdict.owed is not None or outcome is ChargeOutcome.CANCELLED
    if verdict.step is Step.WAIT:
        assert verdict.reason in (Reason.CHECKING, Reason.PARKED)
        # Only what is proven not to have been sent goes back to where it can be given up.
        assert (verdict.state is AttemptState.AUTHORISED) == (
            (question, outcome) == (Question.CONFIRM, ChargeOutcome.NOT_CHARGED)
        )
        # The provider is asked once after the deadline; then it ends.
        assert not at.past_deadline or (question, outcome) == (Question.CONFIRM, ChargeOutcome.UNKNOWN)
    # P9: what is the shop's to mend is never told as declined.
    if result.shops_fault and question is Question.CONFIRM and outcome is ChargeOutcome.DECLINED:
        assert verdict.reason is Reason.SHOPS_FAULT
        assert verdict.shops_fault


def test_unknown_is_never_a_refusal() -> None:
    """S27."""
    for question, past in product(Question, BOOLS):
        verdict = decide(question, ChargeResult(ChargeOutcome.UNKNOWN), Circumstances(past_deadline=past))
        assert (verdict.state, verdict.owed) in [(AttemptState.CALLED, None), (AttemptState.VOIDED, Owed.REFUND)]


class World(RuleBasedStateMachine):
    """A provider whose answers get lost, requests that are held up, forged keys, processes that die: `decide` alone
    decides what is sent next. Whatever the order of it all: nobody is charged twice, and in the end either the
    reservation is confirmed and one charge is kept, or none is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.number = 1
        self.state = AttemptState.OPEN
        self.paying = True
        self.confirmed = False
        self.forged = False
        self.idempotent = True
        self.charges: dict[int, int] = {}
        self.in_flight: list[tuple[int, bool]] = []
        self.owed: dict[int, Owed] = {}
        self.past = False

    def confirm_arrives(self, number: int, forged: bool) -> ChargeOutcome:
        """What the provider does with a confirm of this attempt, whenever it arrives."""
        if forged:
            return ChargeOutcome.WRONG_KEY
        self.charges[number] = 1 if self.idempotent else self.charges.get(number, 0) + 1
        return ChargeOutcome.APPROVED

    def apply(self, question: Question, outcome: ChargeOutcome) -> None:
        at = Circumstances(past_deadline=self.past, fresh=True, idempotent=self.idempotent)
        verdict = decide(question, ChargeResult(outcome), at)
        self.state = verdict.state
        if verdict.owed is not None:
            self.owed[self.number] = verdict.owed
        match verdict.step:
            case Step.CONFIRM:
                self.confirmed, self.paying = True, False
            case Step.END:
                self.paying = False
            case Step.SEND_AGAIN:
                self.send(lost=False, held=False, refused=False, declined=False)

    def send(self, *, lost: bool, held: bool, refused: bool, declined: bool) -> None:
        self.state = AttemptState.CALLED
        if refused:
            self.apply(Question.CONFIRM, ChargeOutcome.NOT_CHARGED)
        elif held:
            self.in_flight.append((self.number, self.forged))
            self.apply(Question.CONFIRM, ChargeOutcome.UNKNOWN)
        elif declined:
            self.apply(Question.CONFIRM, ChargeOutcome.DECLINED)
        else:
            outcome = self.confirm_arrives(self.number, self.forged)
            self.apply(Question.CONFIRM, ChargeOutcome.UNKNOWN if lost else outcome)

    @precondition(lambda self: self.paying and self.state is AttemptState.OPEN)
    @rule(forged=st.booleans(), idempotent=st.booleans())
    def the_buyer_returns(self, forged: bool, idempotent: bool) -> None:
        self.state, self.forged, self.idempotent = AttemptState.AUTHORISED, forged, idempotent

    @precondition(lambda self: self.paying and self.state is AttemptState.AUTHORISED)
    @rule(lost=st.booleans(), held=st.booleans(), refused=st.booleans(), declined=st.booleans())
    def it_is_confirmed(self, lost: bool, held: bool, refused: bool, declined: bool) -> None:
        self.send(lost=lost, held=held, refused=refused, declined=declined)

    @rule()
    def time_passes(self) -> None:
        self.past = self.past or self.state is AttemptState.CALLED

    @precondition(lambda self: self.in_flight)
    @rule()
    def a_request_arrives_late(self) -> None:
        self.confirm_arrives(*self.in_flight.pop())

    @precondition(lambda self: self.paying and self.state is AttemptState.CALLED)
    @rule(reachable=st.booleans(), past=st.booleans())
    def it_is_looked_up(self, reachable: bool, past: bool) -> None:
        self.past = self.past or past
        if not reachable:
            outcome = ChargeOutcome.UNKNOWN
        elif self.charges.get(self.number):
            outcome = ChargeOutcome.APPROVED
        else:
            outcome = ChargeOutcome.AUTHORISED if self.idempotent else ChargeOutcome.NOT_CHARGED
        self.apply(Question.LOOK_UP, outcome)

    @precondition(lambda self: self.paying and self.state in (AttemptState.CLOSED, AttemptState.DECLINED))
    @rule()
    def another_attempt(self) -> None:
        if self.number < MOST_ATTEMPTS:
            self.number, self.state, self.past = self.number + 1, AttemptState.OPEN, False
        else:
            self.paying = False

    @precondition(lambda self: self.paying and self.state in UNSENT)
    @rule()
    def the_buyer_gives_up(self) -> None:
        self.owed[self.number] = Owed.VOID
        self.state, self.paying = AttemptState.CLOSED, False

    @invariant()
    def never_two_charges(self) -> None:
        kept = [number for number, times in self.charges.items() if times and number not in self.owed]
        assert len(kept) <= 1
        assert max(self.charges.values(), default=0) <= 1

    @invariant()
    def a_ticket_is_paid(self) -> None:
        if self.confirmed:
            assert self.charges.get(self.number) == 1
            assert self.number not in self.owed

    @invariant()
    def an_end_owes_what_may_come(self) -> None:
        """Also a request that is still on its way: a charge that arrives after the end is given back."""
        if not self.paying and not self.confirmed:
            for number in {*self.charges, *(number for number, forged in self.in_flight if not forged)}:
                assert number in self.owed


TestWorld = World.TestCase


@given(
    st.sampled_from(sorted(AttemptState)), st.floats(-60, 600), st.integers(1, 4), st.integers(0, 9), st.floats(0, 900)
)
def test_the_seats_are_kept_for_another_try(
    state: AttemptState, left: float, counted: int, spoilt: int, retry: float
) -> None:
    """P11: three attempts, none in the last 30 s, and never past the end of the time to pay."""
    until, made = NOW + timedelta(seconds=left), counted + spoilt
    end = retry_end(state, now=NOW, until=until, counted=counted, made=made, retry=retry)
    possible = counted < MOST_ATTEMPTS and made < MOST_ATTEMPTS_IN_ALL and left >= LAST_SECONDS
    if end is None:
        assert not possible or (state is not AttemptState.CLOSED and retry < 1e-5)
        return
    assert possible
    assert NOW < end <= until
    assert end == (until if state is AttemptState.CLOSED else min(until, NOW + timedelta(seconds=retry)))


def test_retry_seconds_of_zero_brings_s28_back() -> None:
    until = NOW + timedelta(seconds=400)
    assert retry_end(AttemptState.DECLINED, now=NOW, until=until, counted=1, made=1, retry=0) is None


@given(st.uuids(), st.integers(1, 99), st.text(), st.text())
def test_order_numbers_and_keys(reservation: object, number: int, key: str, other: str) -> None:
    """P1: at most 40 characters; a forged key burns an idempotency key of its own, never the genuine one's."""
    order = order_number(reservation, number)  # type: ignore[arg-type]
    assert len(order) <= 40
    assert order != order_number(uuid4(), number)
    assert (confirm_key(order, key) == confirm_key(order, other)) == (key == other)


@given(st.floats(0.01, 60), st.integers(0, 10_000), st.booleans(), st.booleans())
def test_a_refund_is_tried_ever_more_seldom_and_then_by_people(
    first: float, tries: int, refused: bool, marked: bool
) -> None:
    """S27: it is never given up without a person having been asked."""
    after = next_refund(first, tries, refused=refused, marked=marked)
    if after.pause is None or after.pause > 300:
        assert after.needs_person
    assert not marked or after.needs_person, "the mark stays until the money is back"
    if refused and tries + 1 >= REFUND_TRIES:
        assert after.needs_person
    if not marked and tries + 1 < REFUND_TRIES:
        assert not after.needs_person
    assert after.pause is None or after.pause >= first
    assert (after.pause is None) == (after.needs_person and tries + 1 >= MOST_REFUND_TRIES)


def test_the_last_refund_but_one_asks_for_a_person() -> None:
    """Whatever the provider does, the tries end, and not unseen."""
    assert next_refund(5, MOST_REFUND_TRIES, refused=False, marked=False) == NextRefund(None, needs_person=True)


@pytest.mark.parametrize("outcome", list(ChargeOutcome))
def test_a_refund_is_done_when_nothing_is_left(outcome: ChargeOutcome) -> None:
    proven = {ChargeOutcome.CANCELLED, ChargeOutcome.NOT_CHARGED, ChargeOutcome.DECLINED}
    assert is_done(outcome) == (outcome in proven)


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 30)), max_size=200))
@example([(0.0, order // 2) for order in range(20)])
def test_a_flood_of_hints_asks_little(hints: list[tuple[float, int]]) -> None:
    """P6: one look-up in ten seconds an order, five a second in all; what comes too soon is kept for its time."""
    now, asked = 0.0, dict[int, list[float]]()
    one = Hints(lambda: now)
    for passed, order in hints:
        now += passed
        kept, wait = one.is_kept(str(order)), one.wait(str(order))
        if wait is not None:
            assert not kept
            assert 0 <= wait <= LONGEST_SECONDS
            asked.setdefault(order, []).append(now + wait)
        else:
            assert kept or len(asked) > 1, "a hint was lost"
    for times in asked.values():
        assert all(later - earlier >= ORDER_SECONDS - 1e-6 for earlier, later in pairwise(times))
    every = sorted(at for times in asked.values() for at in times)
    for begin in every:
        assert sum(begin <= at < begin + 1 - 1e-6 for at in every) <= A_SECOND
