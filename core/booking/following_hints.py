"""A webhook is a hint that something happened at the provider: the order is looked up, and that is followed (P6).

What was said is not believed, and how often we ask is bounded (`hints.py`).
"""

from __future__ import annotations

import asyncio

import structlog

from core.booking.attempt import OVER_UNPAID, Attempt, AttemptState
from core.booking.comparing import seen
from core.booking.findings_postgres import FindingRows
from core.booking.hints_redis import SharedHints
from core.booking.paying import Paying
from core.booking.refunds_postgres import RefundRows
from core.booking.reservations_postgres import Reservations
from core.booking.results_redis import Results
from core.booking.tasks import PaymentTasks
from core.clock import Clock
from core.errors import OnsaleError, StoreUnavailable
from core.payments.gateway import Authorisation, ChargeOutcome, ChargeResult, ListedCharge, Order
from core.payments.payments import Payments

log = structlog.get_logger(__name__)

# Webhooks whose order is looked for in PostgreSQL at once, and those that wait for it besides: a flood of made-up ones
# costs no more than that.
_HINTS_READ = 5
_HINTS_WAITING = 100


class FollowingHints(Paying):
    """Raises StoreUnavailable."""

    def __init__(
        self,
        *,
        reservations: Reservations,
        refunds: RefundRows,
        payments: Payments,
        results: Results,
        tasks: PaymentTasks,
        clock: Clock,
        hints: SharedHints,
        findings: FindingRows,
    ) -> None:
        super().__init__(
            reservations=reservations, refunds=refunds, payments=payments, results=results, tasks=tasks, clock=clock
        )
        self._findings = findings
        self._hints = hints
        self._hints_read = asyncio.Semaphore(_HINTS_READ)
        self._hints_known = 0

    async def hint(self, provider: str, order: str) -> None:
        """A webhook: the order is looked up, soon and not too often; what was said is not believed."""
        if self._hints.is_kept(order) or self._hints_known >= _HINTS_READ + _HINTS_WAITING:
            return
        self._hints_known += 1
        try:
            # This waits for a moment only: the caller's time ends it (`web/pay/webhooks.py`).
            async with self._hints_read:
                attempt = await self._reservations.attempt(order)
        finally:
            self._hints_known -= 1
        if attempt is None or attempt.provider != provider:
            return
        wait = self._hints.wait(order)
        if wait is not None:
            self._tasks.spawn(f"hint {order}", self._follow(attempt, wait))

    async def _follow(self, attempt: Attempt, wait: float) -> None:
        turn = await self._hints.turn(attempt.order, wait)
        if turn is None:
            return
        await asyncio.sleep(turn)
        try:
            await self._look(attempt.order)
        except (StoreUnavailable, OnsaleError) as error:
            log.info("hint not followed", order=attempt.order, cause=repr(error))

    async def _look(self, order: str) -> None:
        stored, attempt = await self._of_order(order)
        account = attempt.account
        if attempt.state is AttemptState.CALLED:
            if await self._reservations.hint(attempt.provider, order):
                await self._tasks.finish_due(wait=False)
            return
        # Where a look-up is itself a way to settle an order (NHN KCP), nobody asks out of curiosity.
        if not self._payments.idempotent(account) or attempt.state is AttemptState.AUTHORISED:
            return
        asked = Order(order, attempt.amount, attempt.currency, "")
        result = await self._payments.look_up(account, asked, attempt.provider_key)
        log.info("hint followed", order=order, state=attempt.state, outcome=result.outcome, code=result.code)
        match result.outcome, attempt.state:
            case ChargeOutcome.AUTHORISED, AttemptState.OPEN if result.provider_key:
                # The buyer has authorised, and the way back was lost: as if it had been loaded.
                await self._bind(stored.reservation, attempt, Authorisation(result.provider_key))
            case ChargeOutcome.AUTHORISED, state if state in OVER_UNPAID and result.provider_key:
                await self._void(order, result.provider_key)
            case ChargeOutcome.APPROVED, state if state in OVER_UNPAID:
                log.error("a charge without an attempt was found", order=order, provider=attempt.provider)
                if await self._refunds.owe(order, result.provider_key):
                    self._tasks.owed(order)
            case ((ChargeOutcome.APPROVED | ChargeOutcome.CANCELLED), AttemptState.APPROVED):
                # Money that somebody gave back in the provider's dashboard.
                await seen(self._findings, account, _charge(attempt, result))


def _charge(attempt: Attempt, result: ChargeResult) -> ListedCharge:
    """What a look-up says of an approved attempt, as a line of the provider's list. Without a balance: all of it."""
    balance = 0 if result.outcome is ChargeOutcome.CANCELLED else result.balance
    return ListedCharge(
        order=attempt.order,
        provider_key=result.provider_key or attempt.provider_key or attempt.order,
        amount=attempt.amount,
        balance=attempt.amount if balance is None else balance,
        currency=attempt.currency,
        approved_at=attempt.approved_at or attempt.until,
    )
