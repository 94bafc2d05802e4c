"""Bodies of the refund desk's calls and of the comparison with the providers; see `web/schemas.py`."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from core.venue.event_name import what_is_wrong_with_line
from web.schemas import (
    MOST_SEATS,
    Asked,
    Moment,
    Ordinal,
    ReservationState,
    ResponseBody,
    UtcTime,
    distinct,
)


def _told(reason: str) -> str:
    """It goes to the provider, who refuses an empty one, into the books and to the buyer's bank."""
    if wrong := what_is_wrong_with_line(reason, "the reason"):
        raise ValueError(wrong)
    return reason


Told = Annotated[str, AfterValidator(_told)]


class RefundReservation(Asked):
    """Seats or neither: their prices go back, less the fee. An amount: as it is."""

    reason: Told = Field(min_length=1, max_length=200, description="why: for the books and the provider")
    seats: Annotated[list[Ordinal], AfterValidator(distinct)] | None = Field(
        None, min_length=1, max_length=MOST_SEATS, description="single seats; none: all that are left"
    )
    amount: int | None = Field(None, ge=1, le=10**15, description="in minor units; wants `refunded_before`")
    refunded_before: int | None = Field(None, ge=0, description="`refunded` of the reservation, as it was seen")
    fee: int = Field(0, ge=0, le=10**15, description="kept, in minor units")
    release: bool | None = Field(
        None, description="the seats are free again; default: yes, with `amount` no (they stay the buyer's)"
    )


class RefundEvent(Asked):
    reason: Told = Field(min_length=1, max_length=200, description="why: buyers read it at their bank")


class ComparePayments(Asked):
    since: Moment | None = Field(None, description="charges approved since then, with a zone; none: the last hours")
    until: Moment | None = Field(None, description="charges approved before then, with a zone; none: now")


class MendFinding(Asked):
    by_hand: bool = Field(False, description="somebody has seen to it elsewhere: only close it")


class RefundMade(ResponseBody):
    id: UUID
    amount: int = Field(description="what goes back, in minor units")
    fee: int = Field(description="what was kept of the seats' prices")
    state: Literal["PENDING", "DONE"]
    reservation: ReservationState


class AccountSeat(ResponseBody):
    ordinal: int
    zone: str
    row: str
    number: str
    category: str
    price: int = Field(description="what was paid for it, in minor units")
    live: bool = Field(description="false: it was given back")


class AccountAttempt(ResponseBody):
    order: str = Field(description="its number at the provider")
    provider: str = Field(description="`none`: nothing was to be paid")
    state: str
    amount: int
    refunded: int = Field(description="of the amount, what was or is being given back")
    code: str | None = Field(description="what the provider said last")
    method: str | None
    approval_number: str | None
    receipt_url: str | None
    approved_at: UtcTime | None
    created_at: UtcTime


class AccountRefund(ResponseBody):
    id: UUID
    kind: Literal["refund", "void"] = Field(description="void: an authorisation that is let go of")
    state: Literal["PENDING", "DONE"]
    amount: int = Field(description="what goes back, in minor units")
    fee: int = Field(description="what was kept")
    seats: list[int]
    reason: str
    asked_by: str
    code: str | None = Field(description="what the provider said to the last try")
    created_at: UtcTime
    done_at: UtcTime | None
    needs_person_at: UtcTime | None = Field(description="since when a person has to look at it")
    next_try_at: UtcTime | None = Field(description="null: not before an operator says so")


class ReservationAccount(ResponseBody):
    """A reservation's money. Who bought it is told where reservations are found."""

    id: UUID
    event: str
    event_name: str
    status: Literal["PAYING", "CONFIRMED", "FAILED", "CANCELLED"]
    reason: str | None
    amount: int
    currency: str
    refunded: int = Field(description="what was or is being given back: `refunded_before` of the next refund")
    created_at: UtcTime
    seats: list[AccountSeat]
    attempts: list[AccountAttempt] = Field(description="the oldest first")
    refunds: list[AccountRefund] = Field(description="the oldest first")


class UnmadeRefund(ResponseBody):
    """A refund that the provider refuses."""

    reservation: UUID
    amount: int
    code: str | None
    tries: int
    needs_person_at: UtcTime | None
    next_try_at: UtcTime | None


class EventRefundReport(ResponseBody):
    id: UUID
    key: str = Field(description="its `Idempotency-Key`: sent again with it, a job that has stopped goes on")
    state: str = Field(description="RUNNING; STOPPED: the provider refuses, the same call goes on with it; DONE")
    reason: str
    asked_by: str
    created_at: UtcTime
    done_at: UtcTime | None
    done: int = Field(description="refunds that were made")
    amount: int = Field(description="their sum, in minor units")
    pending: int = Field(description="refunds under way")
    refused: int = Field(description="of those: refused at least once")
    people: int = Field(description="of those: a person has to look")
    left: int = Field(description="reservations still to be refunded")
    paying: int = Field(description="reservations whose payment is waited for")
    code: str | None = Field(description="what the provider says to one that it refuses")
    unmade: list[UnmadeRefund] = Field(description="refunds that the provider refuses, the oldest first, 50 at most")


class EventRefundReports(ResponseBody):
    refunds: list[EventRefundReport]


class PaymentFinding(ResponseBody):
    """Money in minor units. `there`: at the provider, `here`: in the books."""

    id: UUID
    kind: Literal["no_attempt", "attempt_over", "second_charge", "refunded_there", "not_given_back", "amount_differs"]
    provider: str
    environment: str
    order: str
    provider_key: str
    reservation: UUID | None
    currency: str
    amount_there: int
    left_there: int = Field(description="what is left of the charge after refunds")
    amount_here: int
    left_here: int
    charged_at: UtcTime
    state: str = Field(description="OPEN; MENDED: by an operator; GONE: a later comparison did not see it again")
    found_at: UtcTime
    ended_at: UtcTime | None
    ended_by: str | None


class ProviderList(ResponseBody):
    provider: str
    environment: str
    compared_until: UtcTime | None = Field(description="charges approved before this are compared")
    tried_at: UtcTime | None
    charges: int = Field(description="in the last list that was read to its end")
    code: str | None = Field(description="why the last try did not come to its end; `no_list`: the provider has none")


class PaymentFindings(ResponseBody):
    findings: list[PaymentFinding]
    lists: list[ProviderList]


class ComparisonMade(ResponseBody):
    provider: str
    environment: str
    since: UtcTime
    until: UtcTime
    charges: int = Field(description="read from the provider's list")
    differing: int
    new: int = Field(description="findings that were not known")
    code: str | None = Field(description="why it did not come to its end")


class ComparisonsMade(PaymentFindings):
    comparisons: list[ComparisonMade]
