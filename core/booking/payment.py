"""A payment: the durable job behind a reservation, and what follows from what a provider says about it.

`judge` is the whole policy (rule 2), pure, so that every case can be read and tested in one place:

* only an answer that proves a charge confirms, only one that proves that there is none ends the payment for good;
* a call that may have gone out is never repeated: the provider is asked about it instead. Toss Payments would honour
  its `Idempotency-Key` for 15 days, NHN KCP has none, and the buyer's payment key is good for ten minutes only, so
  that repeating would gain a few sales at the price of a rule that depends on the provider;
* whoever ends a reservation while a charge may still arrive (a request that was held up on its way and lands after
  the provider was asked) leaves the payment REFUNDING: it is cancelled at the provider until the provider says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.booking.reservation import Reason, Reservation
from core.payments.gateway import ChargeOutcome


class PaymentStatus(StrEnum):
    """`payments.status`. NEW, CALLED and REFUNDING are work to do; the others are ends."""

    NEW = "NEW"
    CALLED = "CALLED"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    REFUNDING = "REFUNDING"
    REFUNDED = "REFUNDED"


class Question(StrEnum):
    """What the provider was asked to do."""

    CHARGE = "charge"
    LOOK_UP = "look_up"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Claim:
    """A payment that this process may work on until its lease ends, with the reservation it is for.

    `token` is written in the row: every write is filtered by it, so a process whose lease was taken over writes
    nothing. `settled` are the ordinals whose seat still is as this reservation's end left it: only those are told.
    `untold`: Redis and the browser have not been told of the reservation's end yet. `needs_person`: its refund is
    refused, and operators know.
    """

    token: str
    reservation: Reservation
    payment_key: str
    event_name: str
    status: PaymentStatus
    provider: str | None
    provider_key: str | None
    attempts: int
    past_deadline: bool
    untold: bool
    settled: tuple[int, ...]
    needs_person: bool = False


class Step(StrEnum):
    CONFIRM = "confirm"
    FAIL = "fail"
    WAIT = "wait"
    REFUNDED = "refunded"
    REFUND_AGAIN = "refund_again"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`payment` is the payment's status afterwards, `reason` the reservation's.

    `recheck`: REFUNDING is not begun at once but after a while, as a last look for a charge that came late.
    """

    step: Step
    payment: PaymentStatus
    reason: Reason | None = None
    recheck: bool = False


_CONFIRM = Verdict(Step.CONFIRM, PaymentStatus.APPROVED)
_CHECKING = Verdict(Step.WAIT, PaymentStatus.CALLED, Reason.CHECKING)


def judge(question: Question, outcome: ChargeOutcome, *, past_deadline: bool, parks: bool) -> Verdict:
    """What follows from `outcome` as the answer to `question`.

    `parks`: the payment may wait until a provider can be reached (S25).
    """
    if question is Question.CANCEL:
        if outcome in (ChargeOutcome.CANCELLED, ChargeOutcome.NOT_CHARGED, ChargeOutcome.DECLINED):
            return Verdict(Step.REFUNDED, PaymentStatus.REFUNDED)
        return Verdict(Step.REFUND_AGAIN, PaymentStatus.REFUNDING)
    match outcome:
        case ChargeOutcome.APPROVED:
            return _CONFIRM
        case ChargeOutcome.DECLINED:
            return Verdict(Step.FAIL, PaymentStatus.DECLINED, Reason.DECLINED)
        case ChargeOutcome.CANCELLED:
            return Verdict(Step.FAIL, PaymentStatus.REFUNDED, Reason.CANCELLED_AT_PROVIDER)
        case ChargeOutcome.NOT_CHARGED if question is Question.CHARGE:
            # Proven by the call itself: refused, not connected, breaker open.
            if parks and not past_deadline:
                return Verdict(Step.WAIT, PaymentStatus.NEW, Reason.PARKED)
            return Verdict(Step.FAIL, PaymentStatus.DECLINED, Reason.PROVIDER_UNAVAILABLE)
        case ChargeOutcome.NOT_CHARGED:
            # "No such order", now. The call may still be on its way: fail, and look again later.
            return Verdict(Step.FAIL, PaymentStatus.REFUNDING, Reason.NOT_CHARGED, recheck=True)
        case ChargeOutcome.UNKNOWN if question is Question.LOOK_UP and past_deadline:
            return Verdict(Step.FAIL, PaymentStatus.REFUNDING, Reason.UNKNOWN_CANCELLED)
        case ChargeOutcome.UNKNOWN:
            return _CHECKING
    raise AssertionError(outcome)


def pause_seconds(first: float, attempts: int, longest: float) -> float:
    """Growing pauses between two attempts: `first`, twice that, and so on up to `longest` seconds."""
    return min(longest, first * 2.0 ** min(max(attempts, 0), 30))


#: Money that is owed back: tries in quick succession, before a person is asked to look at a refund that the provider
#: refuses; the same while the provider is only away (about ten hours); and all there are.
REFUND_TRIES = 8
REFUND_TRIES_AWAY = 120
MOST_REFUND_TRIES = 160
_LONGEST_REFUND_PAUSE = 300.0
_SLOW_REFUND_PAUSE = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class NextRefund:
    """When a refund that did not work is tried again: in `pause` seconds, or, None, when an operator says so."""

    pause: float | None
    needs_person: bool


def next_refund(first: float, attempts: int, *, refused: bool, marked: bool) -> NextRefund:
    """After the try number `attempts` (from 0). `refused`: the provider was reached and would not; `marked`: a person
    has been asked to look already.

    The pauses grow from `first` to five minutes, and are six hours once a person was asked: a refusal may still be of
    today (the provider's account is empty until tomorrow's sales), but nobody hammers on a closed door.
    """
    if marked or (refused and attempts + 1 >= REFUND_TRIES) or attempts + 1 >= REFUND_TRIES_AWAY:
        return NextRefund(_SLOW_REFUND_PAUSE if attempts + 1 < MOST_REFUND_TRIES else None, needs_person=True)
    return NextRefund(pause_seconds(first, attempts, _LONGEST_REFUND_PAUSE), needs_person=False)
