"""The reservation's state machine: rule 2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.booking.reservation import (
    TRANSITIONS,
    WAITING_REASONS,
    Change,
    Reason,
    ReservationStatus,
    SeatStatus,
    check_arguments,
)

ENDS = {ReservationStatus.FAILED, ReservationStatus.CANCELLED}


def test_a_reservation_goes_forward_only() -> None:
    """Whatever happens in whatever order: two changes at most, no state comes twice, nothing leads out of an end.

    That PostgreSQL does this and nothing else: `tests/integration/test_reservation_statements.py`.
    """
    ways: list[tuple[ReservationStatus, ...]] = [(ReservationStatus.PAYING,)]
    for way in ways:
        assert len(way) <= 3
        assert len(set(way)) == len(way)
        ways += [(*way, row.after) for row in TRANSITIONS.values() if row.before is way[-1]]
    assert {way[-1] for way in ways} == set(ReservationStatus)
    assert not ENDS & {row.before for row in TRANSITIONS.values()}


def test_the_table_of_transitions() -> None:
    """Seats follow the reservation: own while it lives, available when it is over."""
    for change, row in TRANSITIONS.items():
        assert row.before in (ReservationStatus.PAYING, ReservationStatus.CONFIRMED)
        assert (row.seats_after is SeatStatus.AVAILABLE) == (row.after in ENDS), change
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
