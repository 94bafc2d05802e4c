"""From the payment page to the provider's window and back: what a buyer or a browser does to an attempt.

Every change is one guarded statement; two of them cannot both win. What is looked at before it only chooses the words
of a refusal.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal
from uuid import UUID

import structlog

from core.booking.attempt import LAST_SECONDS, OVER_UNPAID, RETRIABLE, UNSENT, Attempt, AttemptState, Owed, retry_end
from core.booking.attempt_ends import count_end
from core.booking.refunds_postgres import RefundRows
from core.booking.reservation import Change, Reason, Reservation, ReservationStatus
from core.booking.reservations_postgres import Reservations
from core.booking.results_redis import Results
from core.booking.stored import AttemptChange, Stored
from core.booking.tasks import PaymentTasks
from core.clock import Clock
from core.errors import (
    NoAttemptsLeft,
    NotCancellable,
    PaymentInProgress,
    PaymentUnavailable,
    ReservationNotFound,
    StoreUnavailable,
    WindowOver,
)
from core.payments.account import Account
from core.payments.faults import WINDOW
from core.payments.gateway import (
    Authorisation,
    Buyer,
    Order,
    ReturnRefused,
    Window,
    WindowFailed,
    WindowUrls,
)
from core.payments.payments import Payments
from core.process.bounded import Bounded
from core.venue.event import Event

log = structlog.get_logger(__name__)

# A change that meets a task at work on the attempt waits for it this long.
_TRIES = 30
_PAUSE_SECONDS = 0.1
# Windows whose way back is expected here; what falls out is looked for.
_OPENED = 4096


class Paying:
    """Raises StoreUnavailable besides what each method says. `retry_seconds`: row P11."""

    def __init__(
        self,
        *,
        reservations: Reservations,
        refunds: RefundRows,
        payments: Payments,
        results: Results,
        tasks: PaymentTasks,
        clock: Clock,
    ) -> None:
        self._reservations = reservations
        self._refunds = refunds
        self._payments = payments
        self._results = results
        self._tasks = tasks
        self._clock = clock
        self._opened: Bounded[str, tuple[Reservation, Attempt]] = Bounded(_OPENED)

    async def of_order(self, order: str) -> tuple[Reservation, Attempt]:
        """The reservation, and the attempt with this order number; the current one is the reservation's `payment`.

        Raises ReservationNotFound.
        """
        stored, attempt = await self._of_order(order)
        return stored.reservation, attempt

    async def of_return(self, order: str) -> tuple[Reservation, Attempt]:
        """`of_order` for the way back from the window, once: as it was when this process prepared the window. Whose it
        is and what it costs never changes; how it stands now is for `returned` to find out, whose statement judges.
        """
        return self._opened.pop(order, None) or await self.of_order(order)

    async def open_window(
        self,
        order: str,
        *,
        device: Literal["pc", "phone"],
        urls: WindowUrls,
        phone: str = "",
        found: tuple[Reservation, Attempt] | None = None,
    ) -> Window:
        """What the payment page needs to open the provider's window. Safe to repeat. `found`: what `of_order` has said
        just now.

        Raises ReservationNotFound, WindowOver (not open any more, or its time is over), PaymentUnavailable.
        """
        reservation, attempt = found or await self.of_order(order)
        if attempt.state is not AttemptState.OPEN or self._clock.now() >= attempt.until:
            raise WindowOver()
        event = await self._event(reservation)
        asked = Order(order, attempt.amount, attempt.currency, event.name[:100])
        buyer = Buyer(reservation.email, reservation.language, device, phone)
        try:
            window = await self._payments.open_window(attempt.account, asked, buyer, urls)
        except WindowFailed as failed:
            log.warning("window could not be prepared", order=order, provider=attempt.provider, code=failed.code)
            if failed.shops_fault:
                await self._reservations.fault(order, failed.code)
            raise PaymentUnavailable(retry_after=5) from None
        self._opened.keep(order, (reservation, attempt))
        return window

    async def returned(
        self,
        order: str,
        query: Mapping[str, str],
        form: Mapping[str, str],
        *,
        found: tuple[Reservation, Attempt] | None = None,
    ) -> Reservation:
        """The buyer's browser is back from the window: compares, binds the key, and starts the payment's task.

        However often, and however parallel. One that comes too late is let go of at the provider, durably, and is no
        error. `found`: what `of_return` has said. Raises ReservationNotFound, ReturnRefused (with `closed` or
        `declined` the attempt is ended already), PaymentUnavailable.
        """
        reservation, attempt = found or await self.of_order(order)
        asked = Order(order, attempt.amount, attempt.currency, "")
        try:
            authorisation = self._payments.read_return(attempt.account, asked, query, form)
        except ReturnRefused as refused:
            if refused.closed or refused.declined:
                await self._left(order, refused.code, declined=refused.declined, shops_fault=refused.shops_fault)
            raise
        return await self._bind(reservation, attempt, authorisation)

    async def closed(self, order: str, code: str | None) -> Reservation:
        """The window was left, by the buyer, because the card was refused in it, or for what is the shop's to mend
        (`code`): the seats are kept for another attempt, while there can be one. Repeating it is no error; nothing
        happens to an attempt that is under way or over. Raises ReservationNotFound.
        """
        _, attempt = await self._of_order(order)
        account = attempt.account
        return await self._left(
            order,
            code,
            declined=code is not None and self._payments.is_decline(account, code),
            shops_fault=code is not None and self._payments.is_shops_fault(account, code),
        )

    async def next_attempt(self, id: UUID, *, provider: str | None = None) -> tuple[Reservation, bool]:
        """The reservation with its new attempt, True; or with the one that is open already, False.

        Raises ReservationNotFound, PaymentInProgress, WindowOver, NoAttemptsLeft, NoSuchProvider, CurrencyNotTaken,
        PaymentUnavailable.
        """
        for _ in range(_TRIES):
            stored = await self._stored(id)
            reservation = stored.reservation
            last = reservation.payment
            if reservation.status is ReservationStatus.CONFIRMED:
                raise PaymentInProgress("These seats are yours already: your payment went through", reservation=str(id))
            if reservation.status is not ReservationStatus.PAYING or last is None:
                if reservation.status is ReservationStatus.FAILED and not reservation.attempts_left:
                    raise NoAttemptsLeft()
                raise WindowOver()
            if last.state is AttemptState.OPEN:
                return reservation, False
            if last.state not in RETRIABLE:
                raise PaymentInProgress(reservation=str(id))
            if not reservation.attempts_left:
                raise NoAttemptsLeft()
            now = self._clock.now()
            ends = last.until - timedelta(seconds=LAST_SECONDS)
            if now >= ends or last.retry_until is None or now >= last.retry_until:
                raise WindowOver()
            failed = last.provider if reservation.reason == Reason.PROVIDER_UNAVAILABLE else None
            gateway = self._payments.choose(reservation.currency, provider, failed=failed)
            if await self._reservations.next_attempt(last, Account(gateway.name, gateway.environment)):
                made = (await self._stored(id)).reservation
                await self._push(made)
                return made, True
            # Another page of the same buyer was first, or its time has ended in this moment: looked at again.
            await asyncio.sleep(_PAUSE_SECONDS)
        raise PaymentInProgress(reservation=str(id))

    async def give_back(self, order: str) -> Reservation:
        """The buyer gives the seats back before any money moved. Repeating it is no error.

        Raises ReservationNotFound, NotCancellable (the payment is under way, or went through).
        """
        stored, _ = await self._of_order(order)
        return await self._give_up(stored)

    # How it is done.

    async def _bind(self, reservation: Reservation, attempt: Attempt, authorisation: Authorisation) -> Reservation:
        order = attempt.order
        for _ in range(_TRIES):
            if attempt.state is not AttemptState.OPEN:
                break
            claim = await self._reservations.bind(order, authorisation, token := self._tasks.place())
            if claim is not None:
                if token is not None:
                    self._tasks.work_on(claim)
                await self._push(claim.reservation)
                return claim.reservation
            reservation, attempt = await self.of_order(order)
            if attempt.state is AttemptState.OPEN:
                if await self._reservations.key_refused(order, authorisation.key):
                    raise ReturnRefused("key_refused")
                # The timer of this attempt is at work on it in this moment.
                await asyncio.sleep(_PAUSE_SECONDS)
        if attempt.state in OVER_UNPAID and authorisation.key != attempt.provider_key:
            await self._void(order, authorisation.key)
        return reservation

    async def _void(self, order: str, key: str) -> None:
        log.info("an authorisation came too late", order=order)
        await self._refunds.void_late(order, key)
        self._tasks.owed(order)

    async def _left(self, order: str, code: str | None, *, declined: bool, shops_fault: bool) -> Reservation:
        """`shops_fault` is the browser's word: the buyer is told so, the attempt counts against them as any other, and
        only many visitors of whom it is said raise an alarm (`faults.py`).
        """
        if shops_fault:
            log.warning("a window ended for what is the shop's to mend", order=order, code=code)
            return await self._close(order, f"{WINDOW}{code}", Reason.SHOPS_FAULT)
        return await self._close(order, code, Reason.DECLINED if declined else Reason.CLOSED)

    async def _close(self, order: str, code: str | None, reason: Reason) -> Reservation:
        for _ in range(_TRIES):
            stored, attempt = await self._of_order(order)
            if attempt.state is not AttemptState.OPEN:
                return stored.reservation
            end = retry_end(
                AttemptState.CLOSED,
                now=self._clock.now(),
                until=attempt.until,
                counted=stored.counted,
                made=stored.made,
                retry=0,
            )
            if end is not None:
                if await self._reservations.end_attempt(
                    order,
                    (AttemptState.OPEN,),
                    AttemptState.CLOSED,
                    expected_token=None,
                    reason=reason,
                    code=code,
                    retry_until=end,
                    owed=Owed.VOID,
                ):
                    self._tasks.owed(order)
                    reservation = (await self._stored(stored.reservation.id)).reservation
                    await self._push(reservation)
                    return reservation
            else:
                ended = await self._reservations.change(
                    order,
                    Change.FAIL,
                    AttemptChange((AttemptState.OPEN,), AttemptState.CLOSED, code=code, owed=Owed.VOID),
                    expected_token=None,
                    token=self._tasks.token(),
                    reason=reason if reason is Reason.DECLINED else Reason.WINDOW_ENDED,
                )
                if ended is not None:
                    count_end(ended)
                    self._tasks.owed(order)
                    self._tasks.work_on(ended)
                    return ended.reservation
            await asyncio.sleep(_PAUSE_SECONDS)
        return stored.reservation

    async def _give_up(self, stored: Stored, reason: Reason = Reason.CANCELLED_BY_BUYER) -> Reservation:
        for _ in range(_TRIES):
            reservation, current = stored.reservation, stored.reservation.payment
            if reservation.over:
                return reservation
            if reservation.status is not ReservationStatus.PAYING or current is None:
                raise NotCancellable("The payment went through: cancel the reservation instead")
            if current.state not in UNSENT:
                raise NotCancellable("The payment is under way: wait for its result, then cancel")
            ended = await self._reservations.change(
                current.order,
                Change.GIVE_UP,
                AttemptChange(tuple(UNSENT), AttemptState.CLOSED, code=current.code, owed=Owed.VOID),
                expected_token=None,
                token=self._tasks.token(),
                reason=reason,
            )
            if ended is not None:
                count_end(ended)
                self._tasks.owed(current.order)
                self._tasks.work_on(ended)
                return ended.reservation
            await asyncio.sleep(_PAUSE_SECONDS)
            stored = await self._stored(reservation.id)
        raise NotCancellable("The payment is under way: wait for its result, then cancel")

    async def _push(self, reservation: Reservation) -> None:
        """Tells the buyer's open pages; a page that misses it asks."""
        try:
            await self._results.push(reservation)
        except StoreUnavailable as error:
            log.info("a page was not told", reservation=str(reservation.id), cause=repr(error.__cause__))

    async def _event(self, reservation: Reservation) -> Event:
        return await self._results.event(reservation.event_id)

    async def _of_order(self, order: str) -> tuple[Stored, Attempt]:
        stored = await self._reservations.of_order(order)
        if stored is None:
            raise ReservationNotFound()
        current = stored.reservation.payment
        if current is not None and current.order == order:
            return stored, current
        attempt = await self._reservations.attempt(order)
        if attempt is None:
            raise ReservationNotFound()
        return stored, attempt

    async def _own(self, id: UUID | str, visitor: str) -> Stored:
        stored = await self._stored(id)
        if not secrets.compare_digest(stored.reservation.visitor.encode(), visitor.encode()):
            raise ReservationNotFound()
        return stored

    async def _stored(self, id: UUID | str) -> Stored:
        try:
            stored = await self._reservations.get(id if isinstance(id, UUID) else UUID(id))
        except ValueError:
            raise ReservationNotFound() from None
        if stored is None:
            raise ReservationNotFound()
        return stored
