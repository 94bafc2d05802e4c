"""The reservation's state machine: rule 2."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
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
