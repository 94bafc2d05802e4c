"""Money that goes back, and authorisations that are let go of: durable jobs, one row of `refunds` each (P7).

An attempt's refunds are made one after the other, oldest first: so what was refunded before is known at each, also to
a provider without idempotency keys. What a provider refuses is tried again in growing pauses, and shown to operators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from core.booking.attempt import Owed
from core.booking.reservation import Reason
from core.payments.gateway import ChargeOutcome
from core.process.backoff import Backoff


class RefundState(StrEnum):
    """`refunds.state`."""

    PENDING = "PENDING"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class RefundClaim:
    """A refund that this process may work on until its lease ends.

    `amount` is None for all that is left. `round` grows with each refusal: a provider remembers the errors that it gave
    under an idempotency key, so that the next try needs another one; a try whose outcome is unknown is repeated under
    the same. `marked`: operators were asked to look.
    """

    id: UUID
    token: str
    kind: Owed
    reservation_id: UUID
    order: str
    provider: str
    environment: str
    provider_key: str | None
    charged: int
    currency: str
    event_name: str
    amount: int | None
    refunded_before: int
    reason: str
    tries: int
    round: int
    marked: bool

    @property
    def idempotency_key(self) -> str:
        return f"{self.id.hex}-{self.round}"


@dataclass(frozen=True, slots=True)
class Worth:
    """What goes back with all of a reservation's seats, before any fee; `left` of the charge; `prices` by ordinal."""

    all: int
    left: int
    prices: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class RefundProgress:
    """The money that is owed back for a reservation, for operators. `owed`: so many refunds are still to be made;
    `busy`: a process is at it; `next_try_at` is None when none is owed, or none is tried before an operator says so.
    """

    owed: int
    provider: str | None
    code: str | None
    tries: int
    needs_person_at: datetime | None
    next_try_at: datetime | None
    busy: bool


#: What becomes of the seats: free again; nobody's and not on sale; the reservation's own still.
Release = Literal["free", "block", "keep"]


@dataclass(frozen=True, slots=True)
class RefundAsked:
    """What somebody asks to be given back. `seats` None: all that are left; `amount` None: their prices, less `fee`
    (minor units) and `fee_percent`. `refunded_before` is what the asker saw. `ends_as`: the reservation's reason, when
    no seat is left. `key`: asked twice under it, it is made once. `noted`: it went back already, in the provider's
    dashboard, and is only written down.
    """

    key: str
    reason: str
    asked_by: str
    seats: Sequence[int] | None = None
    amount: int | None = None
    refunded_before: int | None = None
    fee: int = 0
    fee_percent: int = 0
    release: Release = "free"
    ends_as: Reason = Reason.CANCELLED_BY_OPERATOR
    event_refund: UUID | None = None
    noted: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A refund that was written: `amount` goes back, `fee` was kept. `status` is the reservation's."""

    id: UUID
    amount: int
    fee: int
    state: RefundState
    status: str
    digest: str = ""


def is_done(outcome: ChargeOutcome) -> bool:
    """Whether nothing of what was to be given back is left at the provider."""
    return outcome in (ChargeOutcome.CANCELLED, ChargeOutcome.NOT_CHARGED, ChargeOutcome.DECLINED)


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


def next_refund(first: float, tries: int, *, refused: bool, marked: bool) -> NextRefund:
    """After the try number `tries` (from 0). `refused`: the provider was reached and would not; `marked`: a person has
    been asked to look already.

    The pauses grow from `first` to five minutes, and are six hours once a person was asked: a refusal may still be of
    today (the provider's account is empty until tomorrow's sales), but nobody hammers on a closed door.
    """
    if marked or (refused and tries + 1 >= REFUND_TRIES) or tries + 1 >= REFUND_TRIES_AWAY:
        return NextRefund(_SLOW_REFUND_PAUSE if tries + 1 < MOST_REFUND_TRIES else None, needs_person=True)
    return NextRefund(Backoff(first, _LONGEST_REFUND_PAUSE).seconds(tries + 1), needs_person=False)
