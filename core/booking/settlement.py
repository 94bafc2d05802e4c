"""Brings one claimed payment to its end, wherever the process before it stopped.

What keeps it right at every point where a process may be killed:

* before a request leaves, CALLED and the provider's name are written; a row that is still NEW was never sent, one
  that is CALLED is asked about and never sent again;
* every write is filtered by the claim's token, so a process whose lease was taken over writes nothing;
* an approved charge that meets a reservation which is over is owed back at once (`owe`), durably, then cancelled;
* the end in PostgreSQL and its telling to Redis are two steps with `untold` in between.

The lease (`claim_seconds`, 30 s) is longer than one request to a provider may take (3 s + 10 s), and is renewed every
third of it while a call of several requests is under way. A process that stops for longer than its lease in the very
moment between the note and the request is the one case in which a charge can arrive after somebody has asked; the
recheck of `judge` and `owe` are for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, TypeVar

import structlog

from core.booking import measures
from core.booking.payment import Claim, PaymentStatus, Question, Step, Verdict, judge, next_refund, pause_seconds
from core.booking.reservation import TRANSITIONS, Change, Reason
from core.booking.reservations_postgres import ClaimLost, PaymentChange, Reservations
from core.booking.results_redis import Results
from core.errors import StoreUnavailable
from core.payments.gateway import Charge, ChargeOutcome, ChargeResult
from core.payments.payments import PARKED
from core.process.leases import kept

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Pauses between two attempts grow up to this many seconds: while an outcome is unknown, and while a payment waits for
#: a provider to be reachable (asking costs nothing then). Refunds have their own rule, `next_refund`.
LONGEST_PAUSE = 60.0
LONGEST_PARKED_PAUSE = 10.0

#: A run that takes longer than this many leases hangs, and its claim is let go. Two providers asked in turn (13 s
#: each), and PostgreSQL away for a lease at each of the steps around them, take less.
_LONGEST_RUN_LEASES = 6

_UNSETTLED = (PaymentStatus.NEW, PaymentStatus.CALLED)


class Payments(Protocol):
    """What checkout needs of `core.payments`. Nothing raises for what a provider does."""

    def require_available(self, payment_key: str | None = None) -> None: ...

    async def charge(self, charge: Charge, *, before_call: Callable[[str], Awaitable[None]]) -> ChargeResult: ...

    async def look_up(self, provider: str, charge: Charge) -> ChargeResult: ...

    async def cancel(self, provider: str, charge: Charge, provider_key: str | None, reason: str) -> ChargeResult: ...


class Settlement:
    """`lease_seconds` and `first_pause` (before an unknown outcome is asked about) are in seconds."""

    def __init__(
        self,
        *,
        reservations: Reservations,
        payments: Payments,
        results: Results,
        lease_seconds: float,
        first_pause: float,
    ) -> None:
        self._reservations = reservations
        self._payments = payments
        self._results = results
        self._lease = lease_seconds
        self._first_pause = first_pause

    async def finish(self, claim: Claim) -> None:
        """Does all that can be done now. What is left is in PostgreSQL, for any process, when it returns or dies."""
        structlog.contextvars.bind_contextvars(
            reservation=str(claim.reservation.id), visitor=claim.reservation.visitor, event=claim.reservation.slug
        )
        try:
            async with self._kept(claim):
                await self._finish(claim)
        except ClaimLost:
            log.info("payment is with another process")
        except StoreUnavailable as error:
            log.warning("PostgreSQL is away: the payment goes on when its lease is over", cause=repr(error.__cause__))

    async def _finish(self, claim: Claim) -> None:
        match claim.status:
            case PaymentStatus.NEW if claim.past_deadline:
                parked = claim.reservation.reason == Reason.PARKED
                reason = Reason.PROVIDER_UNAVAILABLE if parked else Reason.NOT_STARTED
                verdict = Verdict(Step.FAIL, PaymentStatus.DECLINED, reason)
                await self._fail(claim, verdict, ChargeResult(ChargeOutcome.NOT_CHARGED))
            case PaymentStatus.NEW if claim.reservation.amount == 0:
                # Nothing to charge: no provider is asked.
                await self._confirm(claim, ChargeResult(ChargeOutcome.APPROVED))
            case PaymentStatus.NEW:
                result = await self._payments.charge(_charge(claim), before_call=partial(self._before_call, claim))
                await self._answer(claim, Question.CHARGE, result)
            case PaymentStatus.CALLED:
                await self._reservations.renew(claim.reservation.id, claim.token)
                measures.UNSURE.labels("asked").inc()
                result = await self._payments.look_up(_provider(claim), _charge(claim))
                await self._answer(claim, Question.LOOK_UP, result)
            case _:
                await self._after_end(claim)

    async def _before_call(self, claim: Claim, provider: str) -> None:
        await self._persist(lambda: self._reservations.called(claim.reservation.id, claim.token, provider))

    async def _answer(self, claim: Claim, question: Question, result: ChargeResult) -> None:
        verdict = judge(question, result.outcome, past_deadline=claim.past_deadline, parks=result.code == PARKED)
        log.info(
            "provider answered",
            asked=question,
            provider=result.provider or claim.provider,
            outcome=result.outcome,
            code=result.code,
            step=verdict.step,
        )
        match verdict.step:
            case Step.CONFIRM:
                await self._confirm(claim, result)
            case Step.FAIL:
                await self._fail(claim, verdict, result)
            case _:
                await self._wait(claim, verdict, result)

    async def _confirm(self, claim: Claim, result: ChargeResult) -> None:
        payment = PaymentChange(_UNSETTLED, PaymentStatus.APPROVED, result.provider, result.provider_key, result.code)
        ended = await self._end(claim, Change.CONFIRM, payment, ticket_code=secrets.token_urlsafe(16))
        if ended is not None:
            await self._after_end(ended)
            return
        # The money is taken, but there is no reservation to confirm. Still ours and PAYING: a seat is not its own
        # any more (somebody changed it by hand). Over: it was ended while this charge was on its way.
        log.warning("approved charge has no reservation to confirm", provider=result.provider)
        payment = PaymentChange(_UNSETTLED, PaymentStatus.REFUNDING, result.provider, result.provider_key, result.code)
        ended = await self._end(claim, Change.FAIL, payment, reason=Reason.CANCELLED_AT_PROVIDER)
        if ended is not None:
            await self._after_end(ended)
            return
        id, token = claim.reservation.id, claim.token
        if await self._persist(lambda: self._reservations.owe(id, token, result.provider, result.provider_key)):
            refused = await self._refund(claim, result.provider or claim.provider, result.provider_key)
            if refused is None:
                await self._reservations.leave(id, token, told=False)
            else:
                await self._refund_later(replace(claim, attempts=0), refused, told=False)

    async def _fail(self, claim: Claim, verdict: Verdict, result: ChargeResult) -> None:
        payment = PaymentChange(
            _UNSETTLED,
            verdict.payment,
            result.provider,
            result.provider_key,
            result.code,
            pause=2 * self._lease if verdict.recheck else 0.0,
        )
        ended = await self._end(claim, Change.FAIL, payment, reason=verdict.reason)
        if ended is None:
            raise ClaimLost
        await self._after_end(ended, recheck=verdict.recheck)

    async def _wait(self, claim: Claim, verdict: Verdict, result: ChargeResult) -> None:
        measures.UNSURE.labels("waiting").inc()
        longest = LONGEST_PARKED_PAUSE if verdict.reason is Reason.PARKED else LONGEST_PAUSE
        pause = pause_seconds(self._first_pause, claim.attempts, longest)
        reason, status = verdict.reason or Reason.CHECKING, verdict.payment
        id, token = claim.reservation.id, claim.token
        await self._persist(lambda: self._reservations.wait(id, token, status, reason, pause, result.code))
        if claim.reservation.reason != reason:
            stored = await self._reservations.get(id)
            with contextlib.suppress(StoreUnavailable):
                await self._results.push(stored.reservation if stored else claim.reservation)

    async def _after_end(self, claim: Claim, *, recheck: bool = False) -> None:
        """The reservation is over or confirmed in PostgreSQL: tell it, give back what is owed, give the claim back."""
        told = True
        if claim.untold:
            try:
                await self._results.tell(claim.reservation, claim.settled)
            except StoreUnavailable as error:
                told = False
                measures.UNTOLD.inc()
                log.warning("the result stands, Redis is told later", cause=repr(error.__cause__))
        if claim.status is PaymentStatus.REFUNDING and not recheck:
            refused = await self._refund(claim, claim.provider, claim.provider_key)
            if refused is not None:
                await self._refund_later(claim, refused, told=told)
                return
        pause = None if told else pause_seconds(self._first_pause, claim.attempts, LONGEST_PAUSE)
        await self._reservations.leave(claim.reservation.id, claim.token, told=told, pause=pause)

    async def _refund(self, claim: Claim, provider: str | None, provider_key: str | None) -> ChargeResult | None:
        """None once the provider says that nothing is charged; else why it has to be tried again."""
        code: str | None = None
        if provider is not None:
            await self._reservations.renew(claim.reservation.id, claim.token)
            reason = claim.reservation.reason or Reason.CANCELLED_AT_PROVIDER
            result = await self._payments.cancel(provider, _charge(claim), provider_key, reason)
            verdict = judge(Question.CANCEL, result.outcome, past_deadline=False, parks=False)
            code = result.code
            if verdict.step is not Step.REFUNDED:
                measures.REFUNDS.labels("refused" if result.refused else "again").inc()
                log.warning("refund has to be tried again", provider=provider, code=code, attempts=claim.attempts)
                return result
        await self._persist(lambda: self._reservations.refunded(claim.reservation.id, claim.token, code))
        measures.REFUNDS.labels("done").inc()
        return None

    async def _refund_later(self, claim: Claim, refused: ChargeResult, *, told: bool) -> None:
        after = next_refund(self._first_pause, claim.attempts, refused=refused.refused, marked=claim.needs_person)
        pause = after.pause
        if not told:
            untold = pause_seconds(self._first_pause, claim.attempts, LONGEST_PAUSE)
            pause = untold if pause is None else min(pause, untold)
        newly = await self._reservations.refund_later(
            claim.reservation.id,
            claim.token,
            told=told,
            pause=pause,
            needs_person=after.needs_person,
            code=refused.code,
        )
        if newly:
            measures.REFUNDS.labels("person").inc()
            log.error(
                "a person has to look at this refund",
                provider=refused.provider,
                code=refused.code,
                attempts=claim.attempts + 1,
                amount=claim.reservation.amount,
            )

    async def _end(
        self,
        claim: Claim,
        change: Change,
        payment: PaymentChange,
        *,
        reason: Reason | None = None,
        ticket_code: str | None = None,
    ) -> Claim | None:
        """The transition, repeated while PostgreSQL is away. None: the claim or the state is not what it was."""
        repeated = False

        async def write() -> Claim | None:
            nonlocal repeated
            try:
                return await self._reservations.change(
                    claim.reservation.id,
                    change,
                    payment,
                    expected_token=claim.token,
                    token=claim.token,
                    reason=reason,
                    ticket_code=ticket_code,
                )
            except StoreUnavailable:
                repeated = True
                raise

        ended = await self._persist(write)
        if ended is None and repeated:
            # The answer to an earlier try was lost: it may have been carried out after all.
            ended = await self._reservations.claimed(claim.reservation.id, claim.token)
            if ended is not None and ended.reservation.status is not TRANSITIONS[change].after:
                ended = None
        if ended is not None:
            measures.RESERVATIONS.labels(ended.reservation.status, ended.reservation.reason or "").inc()
            seconds = (datetime.now(UTC) - ended.reservation.created_at).total_seconds()
            measures.CHECKOUT_SECONDS.labels(ended.reservation.status).observe(seconds)
            log.info(
                "reservation ended",
                status=ended.reservation.status,
                reason=ended.reservation.reason,
                seats=ended.reservation.seats,
            )
        return ended

    async def _persist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Repeats a write while PostgreSQL is away, as long as the lease: afterwards another process may be at it."""
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + self._lease, 0.1
        while True:
            try:
                return await write()
            except StoreUnavailable:
                left = until - loop.time()
                if left <= 0:
                    raise
                await asyncio.sleep(min(pause, left))
                pause = min(2 * pause, 2.0)

    def _kept(self, claim: Claim) -> AbstractAsyncContextManager[None]:
        async def renew() -> bool:
            try:
                await self._reservations.renew(claim.reservation.id, claim.token)
            except ClaimLost:
                return False
            return True

        name = f"payment {claim.reservation.id}"
        return kept(name, renew, lease_seconds=self._lease, limit_seconds=_LONGEST_RUN_LEASES * self._lease)


def _charge(claim: Claim) -> Charge:
    return Charge(
        order_id=str(claim.reservation.id),
        payment_key=claim.payment_key,
        amount=claim.reservation.amount,
        currency=claim.reservation.currency,
        name=claim.event_name[:100],
    )


def _provider(claim: Claim) -> str:
    if claim.provider is None:
        raise AssertionError("CALLED without a provider: `called` writes both in one statement")
    return claim.provider
