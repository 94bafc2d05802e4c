"""A reservation that PostgreSQL's guard refused though Redis had granted its seats: what the buyer is told, and what
becomes of the seats.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from core.booking.refusals_postgres import Refusals
from core.booking.reservation import Reservation, ReservationStatus, SeatStatus
from core.booking.reservations_postgres import Reservations
from core.booking.results_redis import Seats
from core.booking.stored import NewReservation
from core.errors import HoldExpired, OnsaleError, PaymentInProgress, PaymentPaused, SaleClosed, SeatTaken
from core.seats.basket import Basket
from core.seats.board import SeatState
from core.venue.event import Event

log = structlog.get_logger(__name__)


class RefusedByGuard:
    """Raises StoreUnavailable."""

    def __init__(self, reservations: Reservations, refusals: Refusals, seats: Seats) -> None:
        self._reservations = reservations
        self._refusals = refusals
        self._seats = seats

    async def why(self, event: Event, basket: Basket, new: NewReservation) -> OnsaleError:
        """What is no repeat of the very same request: it is another one of this visitor's, or Redis was wrong."""
        visitor = new.visitor
        earlier = await self._reservations.of_basket(visitor, event.id, basket.fence)
        if earlier is not None:
            return _led_to(earlier.reservation)
        if await self._refusals.event_cancelled(event.id):
            await self._give_back(event, basket, new)
            return SaleClosed("The event does not take place: nothing was charged")
        refusal = await self._refusals.of_buyer(new)
        if isinstance(refusal, PaymentPaused):
            # Free for others meanwhile: who tries one card after the other does not keep seats with it.
            await self._give_back(event, basket, new)
            return refusal
        if refusal is not None:
            # Held as before: with fewer of them, or as another buyer's, the rest can still be bought.
            await self._seats.abort_payment(event, visitor, basket.fence, basket.seats)
            return refusal
        truth = await self._refusals.seat_truth(event.id, basket.seats)
        log.warning("the guard refused what Redis had granted", visitor=visitor, seats=basket.seats, truth=truth)
        sold = _with(truth, SeatStatus.SOLD)
        if sold:
            await self._seats.settle(event, visitor, basket.fence, sold, SeatState.SOLD)
        free = _with(truth, SeatStatus.AVAILABLE)
        await self._seats.settle(event, visitor, basket.fence, free, SeatState.AVAILABLE)
        taken = [ordinal for ordinal, status in truth.items() if status is not SeatStatus.AVAILABLE]
        return SeatTaken(taken) if taken else HoldExpired()

    async def _give_back(self, event: Event, basket: Basket, new: NewReservation) -> None:
        await self._seats.abort_payment(event, new.visitor, basket.fence, basket.seats)
        await self._seats.release(event, new.visitor, None)


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
