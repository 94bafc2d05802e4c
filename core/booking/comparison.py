"""What a line of the provider's own list of charges says against our books. Pure (P6).

    no_attempt      a charge there, and no attempt of ours
    attempt_over    a charge there for an attempt that is over here, with nothing owed for it
    second_charge   a further charge of an order whose own charge is in our books
    refunded_there  less is left there than here: somebody has given money back in the provider's dashboard
    not_given_back  more is left there than here: a refund that our books call done was not made
    amount_differs  the charge is of another amount or currency than ours

Orders that have not the form of ours are another shop's at the same account, and attempts under way are being settled
anyway: neither is a difference. A difference that cannot be told from one of a moment (a refund of ours that is being
made) is none either; the next comparison sees it again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from core.booking.attempt import AttemptState
from core.payments.gateway import ListedCharge

#: `attempt.order_number`, and the reservation's own id from before there were attempts.
_OURS: Final = re.compile(r"[0-9a-f]{32}a\d{1,2}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Kind(StrEnum):
    """`payment_findings.kind`."""

    NO_ATTEMPT = "no_attempt"
    ATTEMPT_OVER = "attempt_over"
    SECOND_CHARGE = "second_charge"
    REFUNDED_THERE = "refunded_there"
    NOT_GIVEN_BACK = "not_given_back"
    AMOUNT_DIFFERS = "amount_differs"


@dataclass(frozen=True, slots=True)
class Booked:
    """An attempt with what was given back of it, in minor units: `done`, and `pending` (perhaps made already). `busy`:
    something is owed, or was given back so lately that the list may not know of it yet.
    """

    order: str
    reservation_id: UUID
    state: AttemptState
    provider_key: str | None
    amount: int
    currency: str
    done: int
    pending: int
    busy: bool

    @property
    def left(self) -> int:
        """What the provider has of it at least, when our books are right."""
        return self.amount - self.done - self.pending


@dataclass(frozen=True, slots=True)
class Difference:
    """`amount_here`, `left_here`: 0 where nothing of ours belongs to the charge."""

    kind: Kind
    charge: ListedCharge
    reservation_id: UUID | None = None
    amount_here: int = 0
    left_here: int = 0


def difference(charge: ListedCharge, booked: Booked | None) -> Difference | None:
    """None: both say the same, or nothing can be said."""
    if booked is None:
        stands = charge.balance > 0 and _OURS.fullmatch(charge.order) is not None
        return Difference(Kind.NO_ATTEMPT, charge) if stands else None
    id = booked.reservation_id
    match booked.state:
        case AttemptState.OPEN | AttemptState.AUTHORISED | AttemptState.CALLED:
            return None
        case AttemptState.DECLINED | AttemptState.CLOSED | AttemptState.EXPIRED | AttemptState.VOIDED:
            owed_by_nobody = charge.balance > 0 and not booked.busy
            return Difference(Kind.ATTEMPT_OVER, charge, id) if owed_by_nobody else None
    # A provider that names a charge by its order takes one charge an order.
    if booked.provider_key not in (None, charge.provider_key) and charge.provider_key != charge.order:
        return Difference(Kind.SECOND_CHARGE, charge, id) if charge.balance > 0 else None
    of_ours = Difference(Kind.AMOUNT_DIFFERS, charge, id, booked.amount, booked.left)
    if charge.currency != booked.currency:
        return of_ours
    if charge.balance < booked.left:
        kind = Kind.REFUNDED_THERE if charge.amount == booked.amount else Kind.AMOUNT_DIFFERS
        return Difference(kind, charge, id, booked.amount, booked.left)
    if charge.balance > booked.amount - booked.done and not booked.busy:
        kind = Kind.NOT_GIVEN_BACK if charge.amount == booked.amount else Kind.AMOUNT_DIFFERS
        return Difference(kind, charge, id, booked.amount, booked.left)
    return None
