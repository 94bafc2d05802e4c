"""Checkout: from a visitor's basket to a reservation that is being paid for, and what a buyer can do with it.

The order of a submit, and what a failure between two steps leaves behind:

1. look the `Idempotency-Key` up: a repeat gets the same reservation, also when the basket is long gone;
2. `payments.require_available()`: refused here, the seats stay held;
3. Redis: the basket turns to paying, so that neither hold nor visitor expires. A process that dies here leaves a
   paying basket without a reservation: the buyer's next submit goes on from it, else the reconcile job frees it;
4. PostgreSQL: the guard, one statement. Refused: the board is told the truth. No answer: looked up, never guessed;
5. the payment, in a task of its own. From here on the row is the job: any process finishes it.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import structlog

from core.booking import measures
from core.booking.payment import Claim, PaymentStatus
from core.booking.reservation import Change, Reason, Reservation, ReservationStatus, SeatStatus
from core.booking.reservations_postgres import NewReservation, PaymentChange, RefundState, Reservations, Stored
from core.booking.results_redis import Events, Results, Seats
from core.booking.settlement import Payments, Settlement
from core.clock import Clock
from core.errors import (
    HoldExpired,
    KeyReused,
    NotCancellable,
    OnsaleError,
    PaymentInProgress,
    ReservationNotFound,
    SeatTaken,
    StoreUnavailable,
)
from core.process.supervisor import Supervisor
from core.seats.basket import Basket
from core.seats.board import SeatState
from core.settings import Settings
from core.venue.event import Event

if TYPE_CHECKING:
    import databases
    from redis.asyncio import Redis

log = structlog.get_logger(__name__)

# A cancel that meets a payment at work (its result is being told, or tried again) waits for it this long.
_CANCEL_TRIES = 30
_CANCEL_PAUSE_SECONDS = 0.1
_FIND_OUT_SECONDS = 300.0
# An operator waits for the provider's answer, as long as a page waits for ours.
_REFUND_SECONDS = 12.0


@dataclass(frozen=True, slots=True)
class _Submit:
    """One submit. `digest` tells a repeat from another request under the same key."""

    event: Event
    visitor: str
    email: str
    payment_key: str
    key: str
    language: str

    @property
    def digest(self) -> str:
        """Of what the body says. The seats are not in it: they are the basket's, which a repeat may find gone."""
        return hashlib.sha256(f"{self.email}\n{self.payment_key}".encode()).hexdigest()


class Checkout:
    """Raises StoreUnavailable besides what each method says."""

    def __init__(
        self,
        *,
        database: databases.Database,
        redis: Redis,
        seats: Seats,
        events: Events,
        payments: Payments,
        supervisor: Supervisor,
        settings: Settings,
        clock: Clock,
        process: str,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`wake` tells who sends events that one was written by this process."""
        self._seats = seats
        self._payments = payments
        self._supervisor = supervisor
        self._clock = clock
        self._process = process
        self._reservations = Reservations(
            database,
            lease_seconds=settings.claim_seconds,
            deadline_seconds=settings.payment_deadline_seconds,
            wake=wake,
        )
        self._settlement = Settlement(
            reservations=self._reservations,
            payments=payments,
            results=Results(redis=redis, seats=seats, events=events),
            lease_seconds=settings.claim_seconds,
            first_pause=settings.resolver_seconds,
        )
        self._concurrency = settings.payment_concurrency
        self._busy = 0
        self._backlog = False
        self._submits: dict[tuple[int, str, str], tuple[str, asyncio.Task[Reservation | OnsaleError]]] = {}

    async def submit(
        self, event: Event, visitor: str, *, email: str, payment_key: str, idempotency_key: str, language: str
    ) -> Reservation:
        """A reservation that is being paid for; its result is pushed, and sent by e-mail.

        The same key gives the same reservation, however often and however parallel. Raises NoSeatsHeld, HoldExpired,
        SeatTaken, KeyReused, PaymentInProgress (these seats are being paid for under another key), PaymentUnavailable.
        """
        submit = _Submit(event, visitor, email, payment_key, idempotency_key, language)
        name = (event.id, visitor, idempotency_key)
        running = self._submits.get(name)
        if running is None:
            # A task of its own: a buyer who closes the page in this moment cannot leave it half done.
            task: asyncio.Task[Reservation | OnsaleError] = self._supervisor.spawn(
                f"submit {visitor}", self._guarded(submit)
            )
            self._submits[name] = (submit.digest, task)
            task.add_done_callback(lambda _: self._submits.pop(name, None))
        else:
            digest, task = running
            if digest != submit.digest:
                raise KeyReused()
        outcome = await asyncio.shield(task)
        if isinstance(outcome, OnsaleError):
            raise outcome
        return outcome

    async def get(self, id: UUID | str, visitor: str) -> Reservation:
        """Raises ReservationNotFound, also when it is another visitor's."""
        return (await self._own(id, visitor)).reservation

    async def by_ticket(self, id: UUID | str, ticket_code: str) -> Reservation:
        """The reservation of a ticket that the caller has: the link in the e-mail works on every device, because nobody
        can guess the code. To be shown only; cancelling stays with the visitor who bought. Raises ReservationNotFound.
        """
        reservation = (await self._stored(id)).reservation
        known = reservation.ticket_code
        if known is None or not secrets.compare_digest(known.encode(), ticket_code.encode()):
            raise ReservationNotFound()
        return reservation

    async def cancel(self, id: UUID | str, visitor: str) -> Reservation:
        """Gives a paid reservation back: CANCELLED and its seats free at once, the refund durable, and tried at once.

        The buyer does not wait for the provider: once the row says REFUNDING the refund is repeated until the
        provider confirms it. Also takes back a payment that is parked. Repeating it is no error. Raises
        ReservationNotFound, NotCancellable (failed, being paid for, or the event has begun), PaymentInProgress.
        """
        token = self._token()
        for _ in range(_CANCEL_TRIES):
            stored = await self._own(id, visitor)
            change, payment = self._cancellation(stored)
            if change is None:
                return stored.reservation
            ended = await self._reservations.change(
                stored.reservation.id,
                change,
                payment,
                expected_token=None,
                token=token,
                reason=Reason.CANCELLED_BY_BUYER,
            )
            if ended is not None:
                measures.RESERVATIONS.labels(ended.reservation.status, Reason.CANCELLED_BY_BUYER).inc()
                self._work_on(ended)
                return ended.reservation
            await asyncio.sleep(_CANCEL_PAUSE_SECONDS)
        raise PaymentInProgress()

    async def refund_now(self, id: UUID) -> RefundState:
        """For operators: a refund that is owed is tried at once, whenever its next try would have been; how it stands
        after that. Nothing is tried where none is owed, or where a process is at it. Raises ReservationNotFound.
        """
        claim = await self._reservations.refund_now(id, self._token())
        if claim is not None:
            await asyncio.wait([self._work_on(claim)], timeout=_REFUND_SECONDS)
        state = await self._reservations.refund_state(id)
        if state is None:
            raise ReservationNotFound()
        return state

    async def finish_due(self, *, wait: bool = True) -> int:
        """Takes over the payments whose time has come and that nobody works on; returns how many.

        Any number of processes may do so at once. With `wait=False` it does not wait for them to end, so that a slow
        provider does not delay the next round.
        """
        free = self._concurrency - self._busy
        if free <= 0 or self._supervisor.closing:
            self._backlog = free <= 0
            return 0
        claims = await self._reservations.claim_due(free, self._token())
        self._backlog = len(claims) == free
        tasks = [self._work_on(claim) for claim in claims]
        if tasks and wait:
            await asyncio.wait(tasks)
        return len(claims)

    async def _guarded(self, submit: _Submit) -> Reservation | OnsaleError:
        """A refusal is an answer, not a failure of the task."""
        try:
            return await self._submit(submit)
        except OnsaleError as refusal:
            measures.REFUSED.labels(refusal.code).inc()
            return refusal

    async def _submit(self, submit: _Submit) -> Reservation:
        found = await self._repeated(submit)
        if found is not None:
            return found
        self._payments.require_available(submit.payment_key)
        basket = await self._take_basket(submit)
        new = NewReservation(
            id=uuid4(),
            event_id=submit.event.id,
            visitor=submit.visitor,
            idempotency_key=submit.key,
            request_digest=submit.digest,
            email=submit.email,
            language=submit.language,
            payment_key=submit.payment_key,
            seats=basket.seats,
            fence=basket.fence,
        )
        claim = await self._begin(submit, new)
        if claim is None:
            return await self._refused(submit, basket)
        measures.RESERVATIONS.labels(ReservationStatus.PAYING, "").inc()
        return claim.reservation

    async def _repeated(self, submit: _Submit) -> Reservation | None:
        """The reservation that this key has made already. Raises KeyReused."""
        stored = await self._reservations.find(submit.visitor, submit.event.id, submit.key)
        if stored is None:
            return None
        if stored.request_digest != submit.digest:
            raise KeyReused()
        return stored.reservation

    async def _take_basket(self, submit: _Submit) -> Basket:
        """The visitor's basket, turned to paying; also one that a submit which never reached PostgreSQL left so."""
        try:
            return await self._seats.begin_payment(submit.event, submit.visitor)
        except PaymentInProgress:
            basket = await self._seats.basket(submit.event, submit.visitor)
            if basket is None or not basket.paying:
                raise
            # Whether there is a reservation for it already is for the guard to say.
            return basket

    async def _begin(self, submit: _Submit, new: NewReservation) -> Claim | None:
        """The guard; then the payment's task, when there is room for it. None: refused."""
        token = None
        if self._busy < self._concurrency:
            token = self._token()
            self._busy += 1
        try:
            claim = await self._reservations.begin(new, token)
        except StoreUnavailable:
            self._busy -= token is not None
            self._backlog = self._backlog or token is None
            # The statement may have been carried out. Nothing is undone before that is known.
            self._supervisor.spawn(f"find-out {new.id}", self._find_out(submit, new, token))
            raise
        except BaseException:
            self._busy -= token is not None
            raise
        if token is None:
            self._backlog = True
            return claim
        self._busy -= 1
        if claim is not None:
            self._work_on(claim)
        return claim

    async def _find_out(self, submit: _Submit, new: NewReservation, token: str | None) -> None:
        """PostgreSQL did not answer the guard: asks until it is known whether there is a reservation."""
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + _FIND_OUT_SECONDS, 0.2
        while loop.time() < until:
            await asyncio.sleep(pause)
            pause = min(2 * pause, 5.0)
            try:
                claim = await self._reservations.claimed(new.id, token) if token is not None else None
                if claim is not None:
                    self._work_on(claim)
                    return
                if await self._reservations.get(new.id) is None:
                    await self._seats.abort_payment(submit.event, new.visitor, new.fence, new.seats)
                return
            except StoreUnavailable:
                continue
        log.error("whether a reservation was made could not be learnt", reservation=str(new.id), visitor=new.visitor)

    async def _refused(self, submit: _Submit, basket: Basket) -> Reservation:
        """PostgreSQL's guard said no: it is this very request, another one of this visitor's, or Redis was wrong."""
        found = await self._repeated(submit)
        if found is not None:
            return found
        event, visitor = submit.event, submit.visitor
        earlier = await self._reservations.of_basket(visitor, event.id, basket.fence)
        if earlier is not None:
            raise _led_to(earlier.reservation)
        truth = await self._reservations.seat_truth(event.id, basket.seats)
        log.warning("the guard refused what Redis had granted", visitor=visitor, seats=basket.seats, truth=truth)
        sold = _with(truth, SeatStatus.SOLD)
        if sold:
            await self._seats.settle(event, visitor, basket.fence, sold, SeatState.SOLD)
        free = _with(truth, SeatStatus.AVAILABLE)
        await self._seats.settle(event, visitor, basket.fence, free, SeatState.AVAILABLE)
        taken = [ordinal for ordinal, status in truth.items() if status is not SeatStatus.AVAILABLE]
        if taken:
            raise SeatTaken(taken)
        raise HoldExpired()

    def _cancellation(self, stored: Stored) -> tuple[Change | None, PaymentChange]:
        """How a reservation is cancelled; None when it is already. Raises NotCancellable."""
        reservation = stored.reservation
        match reservation.status:
            case ReservationStatus.CANCELLED:
                return None, PaymentChange((), PaymentStatus.REFUNDED)
            case ReservationStatus.CONFIRMED:
                if stored.starts_at is not None and self._clock.now() >= stored.starts_at:
                    raise NotCancellable("The event has begun: this reservation cannot be cancelled any more")
                return Change.CANCEL, PaymentChange((PaymentStatus.APPROVED,), PaymentStatus.REFUNDING)
            case ReservationStatus.PAYING if reservation.reason == Reason.PARKED:
                return Change.GIVE_UP, PaymentChange(
                    (PaymentStatus.NEW,), PaymentStatus.DECLINED, error_code=Reason.CANCELLED_BY_BUYER
                )
            case ReservationStatus.PAYING:
                raise NotCancellable("The payment is under way: wait for its result, then cancel")
        raise NotCancellable()

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

    def _work_on(self, claim: Claim) -> asyncio.Task[None]:
        self._busy += 1
        task: asyncio.Task[None] = self._supervisor.spawn(
            f"payment {claim.reservation.id}", self._settlement.finish(claim)
        )
        task.add_done_callback(self._worked)
        return task

    def _worked(self, _: asyncio.Task[None]) -> None:
        self._busy -= 1
        if self._backlog and not self._supervisor.closing:
            # Reservations wait for room in this process: the next begins at once, not at the job's next round.
            self._backlog = False
            self._supervisor.spawn("payment-backlog", self._next_due())

    async def _next_due(self) -> None:
        try:
            await self.finish_due(wait=False)
        except StoreUnavailable:
            self._backlog = True

    def _token(self) -> str:
        return f"{self._process}/{secrets.token_hex(8)}"


def _with(truth: Mapping[int, SeatStatus], status: SeatStatus) -> list[int]:
    return [ordinal for ordinal, found in truth.items() if found is status]


def _led_to(earlier: Reservation) -> OnsaleError:
    """Another submit made a reservation of this basket, and it may have ended since: the answer names it."""
    id = str(earlier.id)
    match earlier.status:
        case ReservationStatus.PAYING:
            return PaymentInProgress(reservation=id)
        case ReservationStatus.CONFIRMED:
            return PaymentInProgress("These seats are yours already: your payment went through", reservation=id)
    return HoldExpired("The payment for these seats is over: see its result, then pick seats again", reservation=id)
