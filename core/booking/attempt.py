"""An attempt to pay: one order at one provider for a reservation, made before the buyer's window opens.

    OPEN --return--> AUTHORISED --noted--> CALLED --> APPROVED
      ^                                      |  |---> DECLINED
      |                                      |  `---> VOIDED    (no proof of its end: whatever was charged is owed back)
      `---- "not this order's key": remembered as refused, five at most
    OPEN, AUTHORISED --> CLOSED     (closed in the window, given back, kept back by the provider, for the shop to mend)
    OPEN --until + 60 s--> EXPIRED

A row of `payment_attempts` is the durable job of its payment: claimed with a lease, so that any process can finish it.
Everything here is pure. `decide` is the whole policy of money (rule 2), so that every case can be read and tested in
one place:

* only an answer that proves a charge confirms; a next attempt needs proof that the last one did not charge;
* a confirm that may have gone out is never followed by another one, except the identical one (same key, same body), and
  only where the provider is idempotent, says itself that nobody has confirmed, and the buyer's key is young enough;
* whoever ends a reservation while a charge may still arrive (a request that was held up on its way and lands after the
  provider was asked) owes it back: it is cancelled at the provider until the provider says so (`refund.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from core.booking.reservation import Reason
from core.payments.account import Account
from core.payments.gateway import ChargeOutcome, ChargeResult

#: Attempts of one reservation (those that the shop spoilt are not counted, up to the second figure).
MOST_ATTEMPTS: Final = 3
MOST_ATTEMPTS_IN_ALL: Final = 10
#: No new attempt is begun so shortly before the end of the time to pay.
LAST_SECONDS: Final = 30.0
#: A return that was on its way when the time to pay ended still counts.
GRACE_SECONDS: Final = 60.0
#: A provider's window lives for half an hour: no outage makes the time to pay, with its grace, longer than that.
LONGEST_WINDOW_SECONDS: Final = 1800.0
#: Forged or stale keys that one order bears before it takes no more.
MOST_REFUSED_KEYS: Final = 5
#: A buyer's authorisation is good for ten minutes at the provider; nothing is sent with one that is older than this.
KEY_SECONDS: Final = 540.0


class AttemptState(StrEnum):
    """`payment_attempts.state`."""

    OPEN = "OPEN"
    AUTHORISED = "AUTHORISED"
    CALLED = "CALLED"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    CLOSED = "CLOSED"
    EXPIRED = "EXPIRED"
    VOIDED = "VOIDED"


#: Money is asked for, or may have been.
AT_WORK: Final = (AttemptState.AUTHORISED, AttemptState.CALLED)
#: Money has not moved, and cannot: the seats can be given back.
UNSENT: Final = frozenset({AttemptState.OPEN, AttemptState.AUTHORISED, AttemptState.CLOSED, AttemptState.DECLINED})
#: After these another attempt may follow.
RETRIABLE: Final = frozenset({AttemptState.CLOSED, AttemptState.DECLINED})
#: Ended without money: what still comes of it at the provider is let go of, or given back.
OVER_UNPAID: Final = frozenset({AttemptState.DECLINED, AttemptState.CLOSED, AttemptState.EXPIRED, AttemptState.VOIDED})


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `payment_attempts`, as pages and calls see it. Money in minor units.

    `until` is the reservation's: nothing moves it but the time of an outage. `retry_until`: another attempt can be
    begun until then (CLOSED: `until`; DECLINED: the retry time, at most `until`). `shops_fault`: it failed for a
    reason that is the shop's to mend (P9).
    """

    order: str
    number: int
    reservation_id: UUID
    provider: str
    environment: str
    state: AttemptState
    amount: int
    currency: str
    until: datetime
    retry_until: datetime | None = None
    code: str | None = None
    shops_fault: bool = False
    provider_key: str | None = None
    method: str | None = None
    approval_number: str | None = None
    receipt_url: str | None = None
    approved_at: datetime | None = None

    @property
    def account(self) -> Account:
        """Where it was made, and is finished."""
        return Account(self.provider, self.environment)


def order_number(reservation: UUID, number: int) -> str:
    """At most 35 characters of `0-9a-f`: what Toss Payments (6-64) and NHN KCP (40) both take."""
    return f"{reservation.hex}a{number}"


def confirm_key(order: str, provider_key: str) -> str:
    """The idempotency key of an order's confirm. The provider's key is in it: a forged one burns itself, not the
    order.
    """
    return hashlib.sha256(f"{order}\n{provider_key}".encode()).hexdigest()


class Question(StrEnum):
    """What the provider was asked to do."""

    CONFIRM = "confirm"
    LOOK_UP = "look_up"


class Step(StrEnum):
    CONFIRM = "confirm"
    """The money is taken: the reservation is confirmed."""
    RETRY = "retry"
    """The attempt is proven over: the seats are kept for another one, while there can be one."""
    REOPEN = "reopen"
    """The key was not this order's: it waits for the genuine return."""
    SEND_AGAIN = "send_again"
    """Nobody has confirmed: the identical request is sent again."""
    WAIT = "wait"
    END = "end"
    """The reservation has failed."""


class Owed(StrEnum):
    """What has to be given back at the provider; also `refunds.kind`."""

    REFUND = "refund"
    """A charge, should there be one."""
    VOID = "void"
    """An authorisation that will not be captured."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the answer meets. `past_deadline`: the time for unknown outcomes is over (it runs from CALLED). `fresh`: the
    buyer's authorisation is younger than `KEY_SECONDS`. `idempotent`: of the gateway. `parks`: the setting keeps an
    authorisation while the provider is away.
    """

    past_deadline: bool = False
    fresh: bool = True
    idempotent: bool = True
    parks: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """`state` is the attempt's afterwards, `reason` the reservation's. `recheck`: what is owed is not asked for at once
    but after a while, as a last look for a charge that came late.
    """

    step: Step
    state: AttemptState
    reason: Reason | None = None
    owed: Owed | None = None
    recheck: bool = False
    shops_fault: bool = False


_CONFIRM: Final = Verdict(Step.CONFIRM, AttemptState.APPROVED)
_CHECKING: Final = Verdict(Step.WAIT, AttemptState.CALLED, Reason.CHECKING)
_DECLINED: Final = Verdict(Step.RETRY, AttemptState.DECLINED, Reason.DECLINED)


def decide(question: Question, result: ChargeResult, at: Circumstances) -> Verdict:
    """What follows from `result` as the answer to `question` about a CALLED attempt (or an AUTHORISED one whose confirm
    was kept back before it was sent).
    """
    match result.outcome:
        case ChargeOutcome.APPROVED:
            return _CONFIRM
        case ChargeOutcome.WRONG_KEY:
            return Verdict(Step.REOPEN, AttemptState.OPEN, shops_fault=result.shops_fault)
        case ChargeOutcome.DECLINED | ChargeOutcome.NOT_CHARGED if result.shops_fault and question is Question.CONFIRM:
            return Verdict(Step.RETRY, AttemptState.CLOSED, Reason.SHOPS_FAULT, Owed.VOID, shops_fault=True)
        case ChargeOutcome.DECLINED:
            return _DECLINED
        case ChargeOutcome.AWAITING_DEPOSIT:
            # A virtual account: it may be paid long after the seats are gone. Cancelled there at once (P2).
            return Verdict(Step.RETRY, AttemptState.DECLINED, Reason.DECLINED, Owed.REFUND)
        case ChargeOutcome.CANCELLED:
            return Verdict(Step.END, AttemptState.VOIDED, Reason.CANCELLED_AT_PROVIDER)
        case ChargeOutcome.NOT_CHARGED if question is Question.CONFIRM:
            # Proven by the call itself: refused, not connected, circuit open.
            if at.parks and at.fresh and not at.past_deadline:
                return Verdict(Step.WAIT, AttemptState.AUTHORISED, Reason.PARKED)
            return Verdict(Step.RETRY, AttemptState.CLOSED, Reason.PROVIDER_UNAVAILABLE, Owed.VOID)
        case ChargeOutcome.NOT_CHARGED:
            # "No such order", now. The call may still be on its way: fail, and look again later.
            return Verdict(Step.END, AttemptState.VOIDED, Reason.NOT_CHARGED, Owed.REFUND, recheck=True)
        case ChargeOutcome.AUTHORISED:
            if at.idempotent and at.fresh and not at.past_deadline:
                return Verdict(Step.SEND_AGAIN, AttemptState.CALLED, Reason.CHECKING)
            return Verdict(Step.END, AttemptState.VOIDED, Reason.NOT_CHARGED, Owed.VOID, recheck=True)
        case ChargeOutcome.UNKNOWN if question is Question.LOOK_UP and at.past_deadline:
            return Verdict(Step.END, AttemptState.VOIDED, Reason.UNKNOWN_CANCELLED, Owed.REFUND)
        case ChargeOutcome.UNKNOWN:
            return _CHECKING
    raise AssertionError(result.outcome)


def retry_end(
    state: AttemptState, *, now: datetime, until: datetime, counted: int, made: int, retry: float
) -> datetime | None:
    """Until when the seats are kept for another attempt after this one ended as `state`; None: there cannot be one.

    `counted`: attempts that count against the buyer, this one included; `made`: all of them; `retry`: seconds (P11).
    """
    if counted >= MOST_ATTEMPTS or made >= MOST_ATTEMPTS_IN_ALL or until - now < timedelta(seconds=LAST_SECONDS):
        return None
    end = until if state is AttemptState.CLOSED else min(until, now + timedelta(seconds=retry))
    return end if end > now else None
