"""P6: what a line of the provider's list says against an attempt of ours, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from core.booking.attempt import AttemptState, order_number
from core.booking.comparison import Booked, Kind, difference
from core.payments.gateway import ListedCharge

ID = UUID("0123456789abcdef0123456789abcdef")
ORDER = order_number(ID, 1)
CHARGE = ListedCharge(ORDER, "key-1", 15_000, 15_000, "KRW", datetime(2026, 5, 1, tzinfo=UTC))
BOOKED = Booked(ORDER, ID, AttemptState.APPROVED, "key-1", 15_000, "KRW", done=0, pending=0, busy=False)


def kind(charge: ListedCharge, booked: Booked | None) -> Kind | None:
    found = difference(charge, booked)
    return None if found is None else found.kind


def test_the_same_is_no_difference() -> None:
    assert kind(CHARGE, BOOKED) is None
    assert kind(replace(CHARGE, balance=5_000), replace(BOOKED, done=10_000)) is None


def test_a_charge_without_an_attempt() -> None:
    assert kind(CHARGE, None) is Kind.NO_ATTEMPT
    assert kind(replace(CHARGE, order=str(ID)), None) is Kind.NO_ATTEMPT, "an order of the time before attempts"
    assert kind(replace(CHARGE, balance=0), None) is None, "it was given back"
    assert kind(replace(CHARGE, order="shop-4711"), None) is None, "another shop's at the same account"


@pytest.mark.parametrize("state", [AttemptState.OPEN, AttemptState.AUTHORISED, AttemptState.CALLED])
def test_an_attempt_under_way_is_settled_by_itself(state: AttemptState) -> None:
    assert kind(CHARGE, replace(BOOKED, state=state)) is None


@pytest.mark.parametrize(
    "state", [AttemptState.DECLINED, AttemptState.CLOSED, AttemptState.EXPIRED, AttemptState.VOIDED]
)
def test_a_charge_of_an_attempt_that_is_over(state: AttemptState) -> None:
    over = replace(BOOKED, state=state)
    assert kind(CHARGE, over) is Kind.ATTEMPT_OVER
    assert kind(replace(CHARGE, balance=0), over) is None
    assert kind(CHARGE, replace(over, busy=True)) is None, "it is owed back already"


def test_money_given_back_in_the_dashboard() -> None:
    part = difference(replace(CHARGE, balance=9_000), BOOKED)
    assert part is not None
    assert (part.kind, part.left_here, part.charge.balance) == (Kind.REFUNDED_THERE, 15_000, 9_000)
    assert kind(replace(CHARGE, balance=0), BOOKED) is Kind.REFUNDED_THERE
    # A refund of ours that is under way may be made already, or not.
    pending = replace(BOOKED, pending=6_000, busy=True)
    assert kind(replace(CHARGE, balance=9_000), pending) is None
    assert kind(CHARGE, pending) is None
    assert kind(replace(CHARGE, balance=8_999), pending) is Kind.REFUNDED_THERE


def test_a_refund_that_was_not_made() -> None:
    """Only the first of many refunds made (pretix#6376)."""
    assert kind(replace(CHARGE, balance=10_000), replace(BOOKED, done=10_000)) is Kind.NOT_GIVEN_BACK
    assert kind(replace(CHARGE, balance=10_000), replace(BOOKED, done=10_000, busy=True)) is None, "just made"


def test_an_amount_that_differs() -> None:
    more, less = replace(CHARGE, amount=20_000, balance=20_000), replace(CHARGE, amount=9_000, balance=9_000)
    assert kind(more, BOOKED) is Kind.AMOUNT_DIFFERS
    assert kind(less, BOOKED) is Kind.AMOUNT_DIFFERS
    assert kind(replace(more, balance=15_000), BOOKED) is None, "the difference was given back"
    assert kind(replace(CHARGE, currency="USD"), BOOKED) is Kind.AMOUNT_DIFFERS


def test_a_second_charge_of_an_order() -> None:
    """Buyers charged two to four times (Attendize#982)."""
    assert kind(replace(CHARGE, provider_key="key-2"), BOOKED) is Kind.SECOND_CHARGE
    assert kind(replace(CHARGE, provider_key="key-2", balance=0), BOOKED) is None
    assert kind(CHARGE, replace(BOOKED, provider_key=None)) is None
    assert kind(replace(CHARGE, provider_key=ORDER), BOOKED) is None, "this provider names a charge by its order"
