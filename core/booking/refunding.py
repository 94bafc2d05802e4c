"""Makes one claimed refund, or lets go of one authorisation, wherever the process before it stopped."""

from __future__ import annotations

from dataclasses import replace

import structlog

from core.booking import measures
from core.booking.attempt import Owed
from core.booking.leases import persist, renewing
from core.booking.refund import RefundClaim, is_done, next_refund
from core.booking.refunds_postgres import RefundRows
from core.booking.stored import ClaimLost
from core.errors import StoreUnavailable
from core.payments.account import Account
from core.payments.gateway import ChargeOutcome, ChargeResult, Order
from core.payments.payments import Payments

log = structlog.get_logger(__name__)


class Refunding:
    """`lease_seconds` and `first_pause` (before a refund is tried a second time) are in seconds."""

    def __init__(self, *, rows: RefundRows, payments: Payments, lease_seconds: float, first_pause: float) -> None:
        self._rows = rows
        self._payments = payments
        self._lease = lease_seconds
        self._first_pause = first_pause

    async def finish(self, claim: RefundClaim) -> None:
        """Does all that can be done now. What is left is in PostgreSQL, for any process, when it returns or dies."""
        structlog.contextvars.bind_contextvars(reservation=str(claim.reservation_id), order=claim.order)
        try:
            async with renewing(f"refund {claim.id}", lambda: self._rows.renew(claim.id, claim.token), self._lease):
                await self._finish(claim)
        except ClaimLost:
            log.info("refund is with another process")
        except StoreUnavailable as error:
            log.warning("PostgreSQL is away: the refund goes on when its lease is over", cause=repr(error.__cause__))

    async def _finish(self, claim: RefundClaim) -> None:
        result = await self._ask(claim)
        if is_done(result.outcome):
            await persist(lambda: self._rows.done(claim.id, claim.token, result.code, result.refund_key), self._lease)
            measures.REFUNDS.labels("done").inc()
            log.info("given back", kind=claim.kind, provider=claim.provider, outcome=result.outcome, code=result.code)
            return
        after = next_refund(self._first_pause, claim.tries - 1, refused=result.refused, marked=claim.marked)
        measures.REFUNDS.labels("refused" if result.refused else "again").inc()
        log.warning("refund has to be tried again", provider=claim.provider, code=result.code, tries=claim.tries)
        newly = await self._rows.later(
            claim.id,
            claim.token,
            pause=after.pause,
            needs_person=after.needs_person,
            code=result.code,
            refused=result.refused,
        )
        if newly:
            measures.REFUNDS.labels("person").inc()
            log.error(
                "a person has to look at this refund",
                provider=claim.provider,
                code=result.code,
                tries=claim.tries,
                amount=claim.amount or claim.charged,
            )

    async def _ask(self, claim: RefundClaim) -> ChargeResult:
        account = Account(claim.provider, claim.environment)
        order = Order(claim.order, claim.charged, claim.currency, claim.event_name[:100])
        if claim.kind is Owed.VOID:
            result = await self._payments.void(
                account, order, claim.provider_key, reason=claim.reason, idempotency_key=claim.idempotency_key
            )
            if result.outcome is not ChargeOutcome.APPROVED:
                return result
            # Somebody has captured it meanwhile: it is a charge that nobody here wants.
        if claim.amount is not None and claim.tries > 1 and self._payments.idempotent(account):
            made = await self._made_before(account, order, claim, claim.amount)
            if made is not None:
                return made
        return await self._payments.cancel(
            account,
            order,
            claim.provider_key,
            amount=claim.amount,
            refunded_before=claim.refunded_before,
            reason=claim.reason,
            idempotency_key=claim.idempotency_key,
        )

    async def _made_before(
        self, account: Account, order: Order, claim: RefundClaim, amount: int
    ) -> ChargeResult | None:
        """An amount that is asked for again: the answer to a try before may have been lost, and by now it would be
        another request. A refusal leads to a new key, and keys are forgotten (Stripe's after a day). None: it was not
        made; UNKNOWN: again.

        Only where the order can be asked about; who has no keys (NHN KCP) compares what is left itself.
        """
        found = await self._payments.look_up(account, order, claim.provider_key)
        if found.balance == order.amount - claim.refunded_before - amount:
            return replace(found, outcome=ChargeOutcome.CANCELLED, code=None)
        return found if found.outcome is ChargeOutcome.UNKNOWN else None
