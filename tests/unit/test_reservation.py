"""The reservation's state machine and the policy of payment outcomes: rule 2, S25, S27."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from uuid import uuid4

import pytest
from core.booking.payment import (
    MOST_REFUND_TRIES,
    REFUND_TRIES,
    NextRefund,
    PaymentStatus,
    Question,
    Step,
    judge,
    next_refund,
    pause_seconds,
)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.booking.reservation import (
    TRANSITIONS,
    WAITING_REASONS,
    Change,
    Reason,
    Reservation,
    ReservationStatus,
    SeatStatus,
    TransitionRefused,
    check_arguments,
    transition,
)
from core.payments.gateway import ChargeOutcome

NOW = datetime(2026, 1, 1, tzinfo=UTC)
END_REASONS = sorted(set(Reason) - WAITING_REASONS)


def begun() -> Reservation:
    return Reservation(
        id=uuid4(),
        event_id=1,
        slug="e",
        visitor="v",
        status=ReservationStatus.PAYING,
        reason=None,
        seats=(1, 2),
        amount=100,
        currency="KRW",
        email="a@example.org",
        language="en",
        ticket_code=None,
        created_at=NOW,
        updated_at=NOW,
        fence=5,
    )


class Life(RuleBasedStateMachine):
    """Any changes in any order: a reservation goes forward only, and never comes back from its end."""

    def __init__(self) -> None:
        super().__init__()
        self.reservation = begun()
        self.past: list[ReservationStatus] = []

    @rule(change=st.sampled_from(list(Change)), reason=st.sampled_from(END_REASONS), code=st.text(min_size=1))
    def happens(self, change: Change, reason: Reason, code: str) -> None:
        before = self.reservation
        confirms = change is Change.CONFIRM
        try:
            self.reservation = transition(
                before, change, reason=None if confirms else reason, ticket_code=code if confirms else None
            )
        except TransitionRefused:
            assert self.reservation is before
            return
        self.past.append(before.status)
        assert self.reservation.status is TRANSITIONS[change].after

    @precondition(lambda self: self.reservation.over)
    @rule(change=st.sampled_from([Change.FAIL, Change.CANCEL, Change.GIVE_UP]), reason=st.sampled_from(END_REASONS))
    def the_end_is_the_end(self, change: Change, reason: Reason) -> None:
        with pytest.raises(TransitionRefused):
            transition(self.reservation, change, reason=reason)

    @invariant()
    def no_state_comes_twice(self) -> None:
        assert self.reservation.status not in self.past
        assert len(self.past) <= 2

    @invariant()
    def a_ticket_is_of_a_confirmation(self) -> None:
        confirmed = self.reservation.status is ReservationStatus.CONFIRMED or ReservationStatus.CONFIRMED in self.past
        assert (self.reservation.ticket_code is not None) == confirmed

    @invariant()
    def only_an_end_has_a_reason(self) -> None:
        assert (self.reservation.reason is not None) == self.reservation.over


TestLife = Life.TestCase


def test_the_table_of_transitions() -> None:
    """Seats follow the reservation: own while it lives, available when it is over."""
    for change, row in TRANSITIONS.items():
        assert row.before in (ReservationStatus.PAYING, ReservationStatus.CONFIRMED)
        assert row.frees == (row.after in (ReservationStatus.FAILED, ReservationStatus.CANCELLED)), change
        assert (row.seats_before is SeatStatus.SOLD) == (row.before is ReservationStatus.CONFIRMED)
        # Seats that somebody else changed by hand must not stop a failure; a ticket for them must not be issued.
        assert row.whole == (change is Change.CONFIRM)


@given(st.sampled_from(list(Change)), st.none() | st.sampled_from(list(Reason)), st.none() | st.text(min_size=1))
def test_arguments_fit_the_change(change: Change, reason: Reason | None, code: str | None) -> None:
    fits = (
        (reason is None and code is not None)
        if change is Change.CONFIRM
        else (reason is not None and reason not in WAITING_REASONS and code is None)
    )
    if fits:
        check_arguments(change, reason, code)
    else:
        with pytest.raises(ValueError):
            check_arguments(change, reason, code)


CASES = list(product(Question, ChargeOutcome, [False, True], [False, True]))
#: What is left at the provider, at most, once it has given this answer to this question.
PROVEN_NOT_CHARGED = {
    (Question.CHARGE, ChargeOutcome.DECLINED),
    (Question.CHARGE, ChargeOutcome.NOT_CHARGED),
    (Question.LOOK_UP, ChargeOutcome.DECLINED),
}


@pytest.mark.parametrize(("question", "outcome", "past_deadline", "parks"), CASES)
def test_every_answer_has_a_right_end(
    question: Question, outcome: ChargeOutcome, past_deadline: bool, parks: bool
) -> None:
    """Rule 2, for all of the 60 cases."""
    verdict = judge(question, outcome, past_deadline=past_deadline, parks=parks)
    if question is Question.CANCEL:
        assert verdict.step in (Step.REFUNDED, Step.REFUND_AGAIN)
        unclear = outcome in (ChargeOutcome.UNKNOWN, ChargeOutcome.APPROVED)
        assert (verdict.step is Step.REFUND_AGAIN) == unclear
        assert verdict.payment is (PaymentStatus.REFUNDING if unclear else PaymentStatus.REFUNDED)
        return
    # A ticket for an approved charge, and for nothing else.
    assert (verdict.step is Step.CONFIRM) == (outcome is ChargeOutcome.APPROVED)
    match verdict.step:
        case Step.CONFIRM:
            assert verdict.payment is PaymentStatus.APPROVED
        case Step.FAIL:
            assert verdict.reason is not None
            assert verdict.reason not in WAITING_REASONS
            # Closed for good only on proof; else it is cancelled at the provider until the provider says so.
            if verdict.payment is PaymentStatus.DECLINED:
                assert (question, outcome) in PROVEN_NOT_CHARGED
            else:
                assert outcome is ChargeOutcome.CANCELLED or verdict.payment is PaymentStatus.REFUNDING
        case Step.WAIT:
            assert verdict.reason in WAITING_REASONS
            # An unknown outcome is never charged again; only a proven "not charged" may be.
            assert (verdict.payment is PaymentStatus.NEW) == (outcome is ChargeOutcome.NOT_CHARGED)
            # The provider is asked once after the deadline; then it ends.
            assert not past_deadline or (question is Question.CHARGE and outcome is ChargeOutcome.UNKNOWN)
        case _:
            pytest.fail("a refund is no answer to this")


def test_unknown_is_never_a_refusal() -> None:
    """S27."""
    for question, past in product([Question.CHARGE, Question.LOOK_UP], [False, True]):
        verdict = judge(question, ChargeOutcome.UNKNOWN, past_deadline=past, parks=False)
        assert verdict.payment in (PaymentStatus.CALLED, PaymentStatus.REFUNDING)


@given(st.floats(0.01, 60), st.integers(-1, 10_000), st.floats(60, 600))
def test_pauses_grow_up_to_a_limit(first: float, attempts: int, longest: float) -> None:
    here, next_one = pause_seconds(first, attempts, longest), pause_seconds(first, attempts + 1, longest)
    assert first <= here <= next_one <= longest


@given(st.floats(0.01, 60), st.integers(0, 10_000), st.booleans(), st.booleans())
def test_a_refund_is_tried_ever_more_seldom_and_then_by_people(
    first: float, attempts: int, refused: bool, marked: bool
) -> None:
    """S27: it is never given up without a person having been asked."""
    after = next_refund(first, attempts, refused=refused, marked=marked)
    if after.pause is None or after.pause > 300:
        assert after.needs_person
    assert not marked or after.needs_person, "the mark stays until the money is back"
    if refused and attempts + 1 >= REFUND_TRIES:
        assert after.needs_person
    if not marked and attempts + 1 < REFUND_TRIES:
        assert not after.needs_person
    assert after.pause is None or after.pause >= first
    assert (after.pause is None) == (after.needs_person and attempts + 1 >= MOST_REFUND_TRIES)


def test_the_last_refund_but_one_asks_for_a_person() -> None:
    """Whatever the provider does, the tries end, and not unseen."""
    assert next_refund(5, MOST_REFUND_TRIES, refused=False, marked=False) == NextRefund(None, needs_person=True)
