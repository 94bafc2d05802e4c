"""Checkout: from a visitor's basket to a reservation that is being paid for, and what a buyer can do with it.

The order of a submit, and what a failure between two steps leaves behind. It is refused before the first of them where
PostgreSQL has too much to do (R8):

1. look the `Idempotency-Key` up: a repeat gets the same reservation, also when the basket is long gone;
2. `payments.choose`: refused here, the seats stay held;
3. Redis: the basket turns to paying, so that neither hold nor visitor expires. A process that dies here leaves a
   paying basket without a reservation: the buyer's next submit goes on from it, else the reconcile job frees it;
4. PostgreSQL: the guard, one statement: seats, reservation and its first order. Refused: the board is told the truth.
   No answer: looked up, never guessed. From here on the attempt's row is the job: any process finishes it;
5. the buyer goes through the provider's window (`paying.py`); what costs nothing is confirmed at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import structlog

from core.booking import measures
from core.booking.addresses import Addresses
from core.booking.attempt import order_number
from core.booking.findings_postgres import FindingRows
from core.booking.following_hints import FollowingHints
from core.booking.giving_back import GivingBack
from core.booking.hints_redis import SharedHints
from core.booking.payment_times import PaymentTimes
from core.booking.refunding import Refunding
from core.booking.refunds_postgres import RefundRows
from core.booking.refusals_postgres import Refusals
from core.booking.refused_by_guard import RefusedByGuard
from core.booking.reservation import Reservation, ReservationStatus
from core.booking.reservations_postgres import Reservations
from core.booking.results_redis import Access, Events, Results, Seats
from core.booking.settlement import Settlement
from core.booking.stored import NewReservation
from core.booking.tasks import PaymentTasks
from core.booking.unanswered import Unanswered
from core.clock import Clock
from core.errors import (
    HoldExpired,
    KeyReused,
    OnsaleError,
    OutcomeUnknown,
    PaymentInProgress,
    ReservationNotFound,
    StoreUnavailable,
)
from core.payments.account import NO_PROVIDER, Account, account_of
from core.payments.payments import Payments
from core.process.supervisor import Supervisor
from core.seats.basket import Basket
from core.venue.event import Event

if TYPE_CHECKING:
    import databases
    from redis.asyncio import Redis

log = structlog.get_logger(__name__)

# What costs nothing asks nobody; when PostgreSQL is away in this moment the answer is PAYING.
_FREE_SECONDS = 5.0

#: Reservations of one visitor that are listed, at most.
MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Submit:
    """One submit. `digest` tells a repeat from another request under the same key."""

    event: Event
    visitor: str
    email: str
    provider: str | None
    key: str
    language: str

    @property
    def digest(self) -> str:
        """Of what the body says. The seats are not in it: they are the basket's, which a repeat may find gone."""
        return hashlib.sha256(f"{self.email}\n{self.provider or ''}".encode()).hexdigest()


class Checkout(GivingBack, FollowingHints):
    """Raises StoreUnavailable besides what each method says."""

    def __init__(
        self,
        *,
        database: databases.Database,
        redis: Redis,
        seats: Seats,
        events: Events,
        payments: Payments,
        access: Access,
        supervisor: Supervisor,
        times: PaymentTimes,
        concurrency: int,
        addresses: Addresses,
        clock: Clock,
        process: str,
        wake: Callable[[], None] = lambda: None,
        return_seconds: float = 0.0,
        try_mail: Callable[[Event, str, str], None] = lambda event, email, language: None,
        stood: Callable[[float], float] = lambda unknown: 0.0,
    ) -> None:
        """`concurrency`: payments that this process works on at once. `wake` tells who sends events that one was
        written by this process. `return_seconds`: seats given back are on the map again within so long (F5).
        `try_mail` raises an OnsaleError where the confirmation of a purchase could not be written to this address, in
        this language. `stood`: as in `Reservations`.
        """
        reservations = Reservations(
            database,
            lease_seconds=times.lease,
            deadline_seconds=times.deadline,
            window_seconds=times.window,
            accounts=payments.account_names(),
            wake=wake,
            addresses=addresses,
            stood=stood,
        )
        refunds = RefundRows(
            database,
            lease_seconds=times.lease,
            accounts=payments.account_names(),
            wake=wake,
            return_seconds=return_seconds,
        )
        self._refusals = Refusals(database, addresses)
        results = Results(redis=redis, seats=seats, events=events, access=access)
        tasks = PaymentTasks(
            reservations=reservations,
            refunds=refunds,
            supervisor=supervisor,
            concurrency=concurrency,
            process=process,
        )
        tasks.use(
            Settlement(
                reservations=reservations,
                refusals=self._refusals,
                refunds=refunds,
                payments=payments,
                results=results,
                lease_seconds=times.lease,
                first_pause=times.first_pause,
                retry_seconds=times.retry,
                owed=tasks.owed,
            ),
            Refunding(rows=refunds, payments=payments, lease_seconds=times.lease, first_pause=times.first_pause),
        )
        super().__init__(
            reservations=reservations,
            refunds=refunds,
            payments=payments,
            results=results,
            findings=FindingRows(database),
            tasks=tasks,
            hints=SharedHints(redis, clock.monotonic),
            clock=clock,
        )
        self._seats = seats
        self._unanswered = Unanswered(reservations, seats)
        self._refused_by_guard = RefusedByGuard(reservations, self._refusals, seats)
        self._access = access
        self._supervisor = supervisor
        self._try_mail = try_mail
        self._submits: dict[tuple[int, str, str], tuple[str, asyncio.Task[Reservation | OnsaleError]]] = {}

    async def submit(
        self,
        event: Event,
        visitor: str,
        *,
        email: str,
        idempotency_key: str,
        language: str,
        provider: str | None = None,
    ) -> Reservation:
        """A reservation whose order waits to be paid (`payment`), or, when it costs nothing, is confirmed.

        The same key gives the same reservation, however often and however parallel. Raises NoSeatsHeld, HoldExpired,
        SaleClosed (the event does not take place), SeatTaken, QuotaReached, CodeUsed, KeyReused, PaymentInProgress
        (these seats are being paid for under another key), PaymentUnavailable, NoSuchProvider, CurrencyNotTaken,
        PaymentPaused, TooManySeats (over all that the buyer has, F3), InvalidRequest (no e-mail gets there),
        MailImpossible.
        """
        submit = Submit(event, visitor, email, provider, idempotency_key, language)
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

    async def of_visitor(self, visitor: str) -> list[Reservation]:
        """All that this visitor has ordered, newest first, at most `MOST_SHOWN`: what a browser finds again (T2)."""
        return await self._reservations.of_visitor(visitor, MOST_SHOWN)

    async def by_ticket(self, id: UUID | str, ticket_code: str) -> Reservation:
        """The reservation of a ticket that the caller has: the link in the e-mail works on every device, because nobody
        can guess the code. To be shown only; cancelling stays with the visitor who bought. Raises ReservationNotFound.
        """
        reservation = (await self._stored(id)).reservation
        known = reservation.ticket_code
        if known is None or not secrets.compare_digest(known.encode(), ticket_code.encode()):
            raise ReservationNotFound()
        return reservation

    async def give_time(self, event_id: int, ended: datetime, seconds: float) -> int:
        """Whoever was paying while the sale's clock stood until `ended` has so much more time, once; how many (R4)."""
        return await self._reservations.give_time(event_id, ended, seconds)

    async def paid_in(self, event_ids: Sequence[int]) -> frozenset[int]:
        """Those of the events in which somebody is paying."""
        return await self._reservations.paid_in(event_ids)

    async def finish_due(self, *, wait: bool = True) -> int:
        """Takes over the payments and refunds whose time has come and that nobody works on; returns how many."""
        return await self._tasks.finish_due(wait=wait)

    async def _guarded(self, submit: Submit) -> Reservation | OnsaleError:
        """A refusal is an answer, not a failure of the task."""
        try:
            return await self._submit(submit)
        except OnsaleError as refusal:
            measures.REFUSED.labels(refusal.code).inc()
            return refusal

    async def _submit(self, submit: Submit) -> Reservation:
        refusal = self._refused_early()
        if refusal is not None and await self._begins(submit):
            raise refusal
        found = await self._repeated(submit)
        if found is not None:
            return found
        if refusal is not None:
            raise refusal
        account = self._account(submit)
        self._try_mail(submit.event, submit.email, submit.language)
        phase, code = await self._phase_of(submit)
        basket = await self._take_basket(submit)
        new = NewReservation(
            id=uuid4(),
            event_id=submit.event.id,
            visitor=submit.visitor,
            idempotency_key=submit.key,
            request_digest=submit.digest,
            email=submit.email,
            language=submit.language,
            seats=basket.seats,
            fence=basket.fence,
            account=account,
            phase=phase,
            code=code,
        )
        made = await self._begin(submit, new)
        if made is None:
            return await self._refused(submit, basket, new)
        measures.RESERVATIONS.labels(ReservationStatus.PAYING, "").inc()
        if code is not None:
            with contextlib.suppress(StoreUnavailable):
                await self._access.spent(submit.event, submit.visitor, code, new.id)
        return made

    def _refused_early(self) -> StoreUnavailable | None:
        """What says that a new reservation's turn would come too late; None: there is room."""
        try:
            self._reservations.require_room()
        except StoreUnavailable as refusal:
            return refusal
        return None

    async def _begins(self, submit: Submit) -> bool:
        """Whether the visitor's seats are only held, so that this cannot be a repeat for them: it is told so without a
        look at PostgreSQL. Else the key may have its reservation already, and that is answered however long the line.
        """
        try:
            basket = await self._seats.basket(submit.event, submit.visitor)
        except StoreUnavailable:
            return False
        return basket is not None and not basket.paying

    async def _phase_of(self, submit: Submit) -> tuple[str | None, bytes | None]:
        """The phase that the seats were held in, and the code that is spent on them. Raises HoldExpired: Redis has lost
        which, and the seats with it.
        """
        phase, code = await self._access.phase_of(submit.event, submit.visitor)
        if code == b"":
            raise HoldExpired("Your code was used, or its place given up: join anew, with your code")
        return phase, code

    def _account(self, submit: Submit) -> Account:
        """Where the money is to be taken. Raises PaymentUnavailable, NoSuchProvider, CurrencyNotTaken."""
        if not any(submit.event.prices.values()):
            return Account(NO_PROVIDER, NO_PROVIDER)
        return account_of(self._payments.choose(submit.event.currency, submit.provider))

    async def _repeated(self, submit: Submit) -> Reservation | None:
        """The reservation that this key has made already. Raises KeyReused."""
        stored = await self._reservations.find(submit.visitor, submit.event.id, submit.key)
        if stored is None:
            return None
        if stored.request_digest != submit.digest:
            raise KeyReused()
        return stored.reservation

    async def _take_basket(self, submit: Submit) -> Basket:
        """The visitor's basket, turned to paying; also one that a submit which never reached PostgreSQL left so."""
        try:
            return await self._seats.begin_payment(submit.event, submit.visitor)
        except (PaymentInProgress, OutcomeUnknown):
            basket = await self._seats.basket(submit.event, submit.visitor)
            if basket is None or not basket.paying:
                raise
            # Whether there is a reservation for it already is for the guard to say.
            return basket

    async def _begin(self, submit: Submit, new: NewReservation) -> Reservation | None:
        """The guard. What costs nothing is confirmed before it is answered. None: refused."""
        token = self._tasks.token()
        try:
            made = await self._reservations.begin(new, token)
        except StoreUnavailable as error:
            # The statement may have been carried out. Nothing is undone before that is known.
            found = await self._unanswered.read_back(new) if isinstance(error, OutcomeUnknown) else None
            if found is None:
                self._supervisor.spawn(f"find-out {new.id}", self._unanswered.find_out(submit.event, new))
                raise
            return found
        if made is None or made.payment is not None:
            return made
        claim = await self._reservations.claimed(order_number(new.id, 1), token)
        if claim is not None:
            await asyncio.wait([self._tasks.work_on(claim)], timeout=_FREE_SECONDS)
        return (await self._stored(new.id)).reservation

    async def _refused(self, submit: Submit, basket: Basket, new: NewReservation) -> Reservation:
        """PostgreSQL's guard said no: it is this very request, another one of this visitor's, or Redis was wrong."""
        found = await self._repeated(submit)
        if found is not None:
            return found
        raise await self._refused_by_guard.why(submit.event, basket, new)
