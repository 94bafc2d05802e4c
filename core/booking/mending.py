"""One press of a button for each finding of the comparison with a provider's list (P6).

    no_attempt, second_charge          the charge is given back
    attempt_over                       the charge is owed back, as any other that came late
    not_given_back                     what our books say was given back is given back
    amount_differs                     the difference is given back there, or noted here
    refunded_there                     noted here: all of it cancels the reservation and frees its seats

The provider is asked first how the charge stands now, so that a press that comes late or twice does nothing twice;
afterwards the provider's ledger, our database and the export of the books say the same. A finding stays open until
the provider has said that it is done: whatever breaks in between, the button is pressed again.
"""

from __future__ import annotations

from uuid import UUID

import structlog

from core.booking.comparison import Kind
from core.booking.findings_postgres import FindingRows, Found
from core.booking.giving_back import GivingBack
from core.errors import (
    FindingNotFound,
    NotMended,
    NotRefundable,
    PaymentInProgress,
    RefundChanged,
    RefundTooLarge,
    ReservationNotFound,
)
from core.payments.gateway import ChargeOutcome, Order
from core.payments.payments import Payments

log = structlog.get_logger(__name__)

#: `refunds.reason` of what was given back in a provider's dashboard.
IN_DASHBOARD = "refunded_at_provider"
_GIVE_BACK = "charge without a booking"


class Mending:
    """Raises StoreUnavailable besides what each method says."""

    def __init__(self, *, rows: FindingRows, payments: Payments, giving_back: GivingBack) -> None:
        self._rows = rows
        self._payments = payments
        self._giving_back = giving_back

    async def mend(self, id: UUID, actor: str, *, by_hand: bool = False) -> Found:
        """The finding afterwards; one that is not open (any more) is left as it is. `by_hand`: somebody has seen to it
        elsewhere, nothing is done.

        Raises FindingNotFound, NotMended (the provider did not do it, or cannot be asked: nothing is lost, again).
        """
        found = await self._get(id)
        if found.state != "OPEN":
            return found
        if not by_hand:
            await self._mend(found, actor)
        if await self._rows.end(id, actor):
            log.info("finding mended", kind=found.kind, order=found.order, by=actor, by_hand=by_hand)
        return await self._get(id)

    async def _get(self, id: UUID) -> Found:
        found = await self._rows.get(id)
        if found is None:
            raise FindingNotFound()
        return found

    async def _mend(self, found: Found, actor: str) -> None:
        match found.kind:
            case Kind.NO_ATTEMPT | Kind.SECOND_CHARGE:
                await self._give_back(found, await self._left_there(found))
            case Kind.ATTEMPT_OVER:
                await self._giving_back.owe(found.order, found.provider_key)
            case Kind.REFUNDED_THERE | Kind.NOT_GIVEN_BACK | Kind.AMOUNT_DIFFERS:
                await self._level(found, actor)

    async def _level(self, found: Found, actor: str) -> None:
        """Makes what is left there and here the same."""
        there = await self._left_there(found)
        booked = (await self._rows.booked(found.provider, [found.order], found.found_at)).get(found.order)
        if booked is None or booked.currency != found.currency:
            raise NotMended("The charge is in another currency than ours: see to it in the provider's dashboard")
        here = booked.amount - booked.done
        if there > here:
            await self._give_back(found, there - here)
        elif there < booked.left:
            try:
                await self._giving_back.note_refund(
                    booked.reservation_id,
                    found.order,
                    key=f"{found.id.hex}:{there}",
                    amount=booked.left - there,
                    whole=there == 0,
                    reason=IN_DASHBOARD,
                    asked_by=actor,
                )
            except (NotRefundable, PaymentInProgress, RefundChanged, RefundTooLarge, ReservationNotFound) as refused:
                raise NotMended(f"The reservation is being changed in this moment ({refused.code}): again") from None

    async def _left_there(self, found: Found) -> int:
        """What is left at the provider, which is asked now. Raises NotMended."""
        result = await self._payments.look_up(found.account, _order(found), found.provider_key)
        match result.outcome:
            case ChargeOutcome.APPROVED if result.balance is not None:
                return result.balance
            case ChargeOutcome.CANCELLED | ChargeOutcome.NOT_CHARGED:
                return 0
        raise _not_done(result.code)

    async def _give_back(self, found: Found, amount: int) -> None:
        if amount == 0:
            return
        there = await self._left_there(found)
        result = await self._payments.cancel(
            found.account,
            _order(found),
            found.provider_key,
            # All that is left, where it is all: a repeat of that can give nothing back twice.
            amount=None if amount == there == found.amount_there else amount,
            refunded_before=found.amount_there - there,
            reason=_GIVE_BACK,
            idempotency_key=f"{found.id.hex}-{found.amount_there - there}",
        )
        if result.outcome not in (ChargeOutcome.CANCELLED, ChargeOutcome.NOT_CHARGED):
            raise _not_done(result.code)


def _order(found: Found) -> Order:
    """As the provider knows it: its own amount, whatever ours is."""
    return Order(found.order, found.amount_there, found.currency, "")


def _not_done(code: str | None) -> NotMended:
    return NotMended(
        f"The provider did not do it (code {code or 'none'}). Nothing is lost: mend what the code says, and try again",
        provider_code=code,
    )
