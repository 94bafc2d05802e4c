"""Brings one claimed attempt to its end, wherever the process before it stopped.

What keeps it right at every point where a process may be killed:

* before a request leaves, CALLED and its idempotency key are written; an attempt that is still AUTHORISED was never
  confirmed, one that is CALLED is asked about;
* every write is filtered by the claim's token, so a process whose lease was taken over writes nothing;
* an approved charge that meets a reservation which is over is owed back at once (`owe`), durably;
* what is owed is written in the statement that ends the attempt, and made by `refunding.py`;
* the end in PostgreSQL and its telling to Redis are two steps with `untold` in between.

The lease (`claim_seconds`, 30 s) is longer than one request to a provider may take (3 s + 10 s), and is renewed every
third of it while a call of several requests is under way. A process that stops for longer than its lease in the very
moment between the note and the request is the one case in which a charge can arrive after somebody has asked; the
recheck of `decide` and `owe` are for it.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable

import structlog

from core.booking import measures
from core.booking.attempt import (
    AT_WORK,
    KEY_SECONDS,
    AttemptState,
    Circumstances,
    Owed,
    Question,
    Step,
    Verdict,
    confirm_key,
    decide,
    retry_end,
)
from core.booking.attempt_ends import AttemptEnds
from core.booking.leases import persist, renewing
from core.booking.refunds_postgres import RefundRows
from core.booking.refusals_postgres import Refusals
from core.booking.reservation import Change, Reason
from core.booking.reservations_postgres import Reservations
from core.booking.results_redis import Results
from core.booking.stored import AttemptChange, Claim, ClaimLost
from core.errors import StoreUnavailable
from core.payments.account import NO_PROVIDER
from core.payments.confirming import PARKED
from core.payments.gateway import Authorisation, ChargeOutcome, ChargeResult, Order
from core.payments.payments import Payments
from core.process.backoff import Backoff

log = structlog.get_logger(__name__)

#: Pauses between two tries grow up to this many seconds: while an outcome is unknown, and while an authorisation waits
#: for a provider to be reachable (asking costs nothing then). Refunds have their own rule, `next_refund`.
LONGEST_PAUSE = 60.0
LONGEST_PARKED_PAUSE = 10.0
#: An answer in another amount or currency: unknown, and for a person to look at.
AMOUNT_DIFFERS = "amount_differs"
#: The identical confirm again, at once: after so many within one claim it waits like an unknown outcome.
_AGAIN = 2


class Settlement:
    """`lease_seconds`, `first_pause` (before an unknown outcome is asked about) and `retry_seconds` (P11) are in
    seconds.

    `owed(order)` is called after something was written that is to be given back now.
    """

    def __init__(
        self,
        *,
        reservations: Reservations,
        refusals: Refusals,
        refunds: RefundRows,
        payments: Payments,
        results: Results,
        lease_seconds: float,
        first_pause: float,
        retry_seconds: float,
        owed: Callable[[str], None] = lambda order: None,
    ) -> None:
        self._reservations = reservations
        self._refusals = refusals
        self._refunds = refunds
        self._payments = payments
        self._results = results
        self._lease = lease_seconds
        self._first_pause = first_pause
        self._retry = retry_seconds
        self._owed = owed
        self._ends = AttemptEnds(
            reservations=reservations, results=results, lease_seconds=lease_seconds, first_pause=first_pause, owed=owed
        )

    async def finish(self, claim: Claim) -> None:
        """Does all that can be done now. What is left is in PostgreSQL, for any process, when it returns or dies."""
        structlog.contextvars.bind_contextvars(
            reservation=str(claim.reservation.id),
            visitor=claim.reservation.visitor,
            event=claim.reservation.slug,
            order=claim.attempt.order,
        )
        try:
            async with renewing(
                f"payment {claim.attempt.order}",
                lambda: self._reservations.renew(claim.attempt.order, claim.token),
                self._lease,
            ):
                await self._finish(claim)
        except ClaimLost:
            log.info("payment is with another process")
        except StoreUnavailable as error:
            log.warning("PostgreSQL is away: the payment goes on when its lease is over", cause=repr(error.__cause__))

    async def tell(self, claim: Claim) -> None:
        """A reservation was ended in PostgreSQL by a statement of the caller's: tells it, and gives the claim back."""
        try:
            await self._ends.tell(claim)
        except StoreUnavailable as error:
            log.warning("PostgreSQL is away: the result is told when its lease is over", cause=repr(error.__cause__))

    async def _finish(self, claim: Claim) -> None:
        if claim.untold:
            await self._ends.tell(claim)
            return
        match claim.attempt.state:
            case AttemptState.AUTHORISED if claim.attempt.provider == NO_PROVIDER:
                # Nothing to charge: no provider is asked, and no note before a call says that the event was cancelled.
                if await self._refusals.event_cancelled(claim.reservation.event_id):
                    await self._end_for_event(claim)
                else:
                    await self._confirm(claim, ChargeResult(ChargeOutcome.APPROVED))
            case AttemptState.AUTHORISED if claim.key_age > KEY_SECONDS:
                # Its provider was away all the while (or all our processes were): nothing was ever sent.
                verdict = Verdict(Step.RETRY, AttemptState.CLOSED, Reason.PROVIDER_UNAVAILABLE, Owed.VOID)
                await self._retry_or_end(claim, verdict, ChargeResult(ChargeOutcome.NOT_CHARGED, code="key_expired"))
            case AttemptState.AUTHORISED:
                await self._ask_for_money(claim, 0)
            case AttemptState.CALLED:
                await self._look_up(claim, 0)
            case AttemptState.OPEN:
                await self._ends.end(
                    claim, AttemptState.EXPIRED, Reason.WINDOW_ENDED, owed=Owed.VOID, code=claim.attempt.code
                )
            case AttemptState.CLOSED | AttemptState.DECLINED as state:
                await self._ends.end(claim, state, _reason_of_end(claim), code=claim.attempt.code)
            case _:
                await self._ends.tell(claim)

    async def _ask_for_money(self, claim: Claim, again: int) -> None:
        authorisation = claim.authorisation
        if authorisation is None:
            raise AssertionError("AUTHORISED without a key: `bind` writes both in one statement")
        key = _key_to_send(claim, authorisation)

        async def note() -> None:
            order, token, of = claim.attempt.order, claim.token, claim.reservation
            await persist(lambda: self._reservations.called(order, token, key, of=of), self._lease)

        try:
            result = await self._payments.confirm(
                claim.account, _order(claim), authorisation, key, before_call=note, sent_before=again > 0
            )
        except ClaimLost:
            await self._seats_lost(claim)
            return
        await self._answer(claim, Question.CONFIRM, result, again)

    async def _seats_lost(self, claim: Claim) -> None:
        """The note before the call was refused, and no money is taken for it: another process is at it (then nothing
        happens here), the event does not take place, a seat is not the reservation's own any more (somebody changed it
        by hand), or the buyer's address has its share of seats by now (F3).
        """
        now = await self._reservations.claimed(claim.attempt.order, claim.token)
        if now is None or now.attempt.state is not AttemptState.AUTHORISED:
            raise ClaimLost
        if await self._refusals.event_cancelled(now.reservation.event_id):
            await self._end_for_event(claim)
            return
        reason, code = Reason.CANCELLED_AT_PROVIDER, "seats_lost"
        if await self._refusals.address_full(now.reservation):
            reason, code = Reason.SHARE_REACHED, "share_reached"
        await self._ends.end(claim, AttemptState.VOIDED, reason, owed=Owed.VOID, code=code)

    async def _end_for_event(self, claim: Claim) -> None:
        """The payment ends as that of a buyer who was still in the window (`Paying._give_up`)."""
        gone = Reason.EVENT_CANCELLED
        await self._ends.end(claim, AttemptState.CLOSED, gone, change=Change.GIVE_UP, owed=Owed.VOID, code=gone)

    async def _look_up(self, claim: Claim, again: int) -> None:
        await self._reservations.renew(claim.attempt.order, claim.token)
        measures.UNSURE.labels("asked").inc()
        result = await self._payments.look_up(claim.account, _order(claim), claim.attempt.provider_key)
        await self._answer(claim, Question.LOOK_UP, result, again)

    async def _answer(self, claim: Claim, question: Question, result: ChargeResult, again: int) -> None:
        verdict = decide(
            question,
            result,
            Circumstances(
                past_deadline=claim.past_deadline,
                fresh=claim.key_age < KEY_SECONDS,
                idempotent=self._payments.idempotent(claim.account),
                parks=result.code == PARKED,
            ),
        )
        # What is confirmed is told once, with its end.
        level = log.debug if verdict.step is Step.CONFIRM else log.info
        level(
            "provider answered",
            asked=question,
            provider=claim.attempt.provider,
            outcome=result.outcome,
            code=result.code,
            step=verdict.step,
        )
        match verdict.step:
            case Step.CONFIRM:
                await self._confirm(claim, result)
            case Step.RETRY:
                await self._retry_or_end(claim, verdict, result)
            case Step.REOPEN:
                await self._reopen(claim, verdict, result)
            case Step.SEND_AGAIN if again < _AGAIN and claim.authorisation is not None:
                await self._ask_for_money(claim, again + 1)
            case Step.SEND_AGAIN:
                await self._wait(claim, verdict, result)
            case Step.END:
                await self._ends.end(
                    claim,
                    verdict.state,
                    verdict.reason or Reason.NOT_CHARGED,
                    owed=verdict.owed,
                    code=result.code,
                    provider_key=result.provider_key,
                    pause=2 * self._lease if verdict.recheck else 0.0,
                    shops_fault=result.shops_fault,
                )
            case Step.WAIT:
                await self._wait(claim, verdict, result)

    async def _confirm(self, claim: Claim, result: ChargeResult) -> None:
        approved = AttemptChange(
            AT_WORK, AttemptState.APPROVED, result.provider_key, result.code, receipt=result.receipt
        )
        ended = await self._ends.change(claim, Change.CONFIRM, approved, ticket_code=secrets.token_urlsafe(16))
        if ended is not None:
            await self._ends.tell(ended)
            return
        # The money is taken, but there is no reservation to confirm. Still ours and PAYING: a seat is not its own
        # any more (somebody changed it by hand). Over: it was ended while this charge was on its way.
        log.warning("approved charge has no reservation to confirm", provider=claim.attempt.provider)
        owed = AttemptChange(
            AT_WORK, AttemptState.VOIDED, result.provider_key, result.code, Owed.REFUND, receipt=result.receipt
        )
        ended = await self._ends.change(claim, Change.FAIL, owed, reason=Reason.CANCELLED_AT_PROVIDER)
        if ended is not None:
            self._owed(claim.attempt.order)
            await self._ends.tell(ended)
            return
        if await persist(lambda: self._refunds.owe(claim.attempt.order, result.provider_key), self._lease):
            self._owed(claim.attempt.order)

    async def _retry_or_end(self, claim: Claim, verdict: Verdict, result: ChargeResult) -> None:
        """The seats are kept for another attempt, while there can be one."""
        counted = claim.counted - (1 if verdict.shops_fault and not claim.attempt.shops_fault else 0)
        reason, order = verdict.reason or Reason.DECLINED, claim.attempt.order
        now = claim.reservation.until
        assert now is not None  # noqa: S101 - written by `begin`
        end = retry_end(
            verdict.state if verdict.reason is not Reason.PROVIDER_UNAVAILABLE else AttemptState.DECLINED,
            now=now - claim.time_left,
            until=now,
            counted=counted,
            made=claim.made,
            retry=self._retry,
        )
        if end is not None:
            kept = await persist(
                lambda: self._reservations.end_attempt(
                    order,
                    AT_WORK,
                    verdict.state,
                    expected_token=claim.token,
                    reason=reason,
                    code=result.code,
                    retry_until=end,
                    owed=verdict.owed,
                    shops_fault=verdict.shops_fault,
                    provider_key=result.provider_key,
                ),
                self._lease,
            )
            if not kept:
                raise ClaimLost
            if verdict.owed is not None:
                self._owed(order)
            await self._push(claim)
            return
        await self._ends.end(
            claim,
            verdict.state,
            reason,
            owed=verdict.owed,
            code=result.code,
            provider_key=result.provider_key,
            shops_fault=verdict.shops_fault,
        )

    async def _reopen(self, claim: Claim, verdict: Verdict, result: ChargeResult) -> None:
        order, token = claim.attempt.order, claim.token
        await persist(
            lambda: self._reservations.reopen(order, token, result.code, shops_fault=verdict.shops_fault), self._lease
        )
        await self._push(claim)

    async def _wait(self, claim: Claim, verdict: Verdict, result: ChargeResult) -> None:
        measures.UNSURE.labels("waiting").inc()
        longest = LONGEST_PARKED_PAUSE if verdict.reason is Reason.PARKED else LONGEST_PAUSE
        pause = Backoff(self._first_pause, longest).seconds(claim.tries + 1)
        reason, state = verdict.reason or Reason.CHECKING, verdict.state
        order, token = claim.attempt.order, claim.token
        await persist(
            lambda: self._reservations.wait(
                order,
                token,
                state,
                reason,
                pause,
                result.code,
                shops_fault=result.shops_fault or result.code == AMOUNT_DIFFERS,
            ),
            self._lease,
        )
        if claim.reservation.reason != reason:
            await self._push(claim)

    async def _push(self, claim: Claim) -> None:
        """The reservation as it is now, to the one visitor's browser; who misses it asks."""
        with contextlib.suppress(StoreUnavailable):
            stored = await self._reservations.get(claim.reservation.id)
            if stored is not None:
                await self._results.push(stored.reservation)


def _key_to_send(claim: Claim, authorisation: Authorisation) -> str:
    """The confirm's idempotency key. A call whose outcome is not known is repeated under its own. One that is proven
    not to have charged, and was parked, is not: the provider remembers the error that it gave under that key, and would
    give it for ever, which keeps the circuit open for everybody (S25).
    """
    key, sent = confirm_key(claim.attempt.order, authorisation.key), claim.sent_key
    if sent is None or not sent.startswith(key):
        return key
    return sent if claim.attempt.state is AttemptState.CALLED else f"{key}.{claim.tries}"


def _reason_of_end(claim: Claim) -> Reason:
    """Why a reservation failed whose last attempt was not followed by another. That it was the shop's fault is not
    taken from a buyer's browser: such failures have no pause after them (`failures_of.sql`).
    """
    reason = claim.reservation.reason
    told = reason == Reason.SHOPS_FAULT and not claim.attempt.shops_fault
    return Reason.WINDOW_ENDED if told or reason in (None, Reason.CLOSED) else Reason(reason)


def _order(claim: Claim) -> Order:
    return Order(claim.attempt.order, claim.attempt.amount, claim.attempt.currency, claim.event_name[:100])
