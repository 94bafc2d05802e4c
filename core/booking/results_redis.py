"""Tells Redis and the buyer's browser what PostgreSQL has decided. Everything here may be repeated.

PostgreSQL is the truth (S13): when Redis is away the result stands, is told later by whoever claims the payment next
(`payment_attempts.untold`), and the reconcile job is the second net.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

import orjson
from redis.asyncio import Redis

from core import keys
from core.booking.reservation import Reason, Reservation, ReservationStatus
from core.process.publisher_redis import Publisher
from core.seats.basket import Basket
from core.seats.board import SeatState
from core.venue.event import Event

# Ends of a payment that are the buyer's doing: the seats were held without being bought (F5).
_LET_GO: Final = frozenset({Reason.DECLINED, Reason.WINDOW_ENDED, Reason.CLOSED, Reason.CANCELLED_BY_BUYER})


class Seats(Protocol):
    """What checkout needs of `core.seats.seats.Seats`."""

    async def basket(self, event: Event, visitor: str) -> Basket | None: ...

    async def begin_payment(self, event: Event, visitor: str) -> Basket: ...

    async def abort_payment(self, event: Event, visitor: str, fence: int, ordinals: Sequence[int] = ()) -> None: ...

    async def settle(
        self,
        event: Event,
        visitor: str,
        fence: int,
        ordinals: Sequence[int],
        state: SeatState,
        *,
        unpaid: bool = False,
    ) -> None: ...

    async def release(self, event: Event, visitor: str, ordinals: Sequence[int] | None = None) -> Basket | None: ...

    async def reopen(self, event: Event, ordinals: Sequence[int]) -> None: ...


class Events(Protocol):
    """What checkout needs of `core.venue.event_store_postgres.EventStore`."""

    async def by_id(self, event_id: int) -> Event: ...


class Access(Protocol):
    """What checkout needs of `core.waiting_room.access_redis.Access`."""

    async def phase_of(self, event: Event, visitor: str) -> tuple[str | None, bytes | None]: ...

    async def spent(self, event: Event, visitor: str, code: bytes, purchase: UUID) -> None: ...

    async def free_again(self, event: Event, visitor: str, code: bytes, purchase: UUID) -> None: ...


class Results:
    """Raises StoreUnavailable; some of it may then have been told."""

    def __init__(self, *, redis: Redis, seats: Seats, events: Events, access: Access) -> None:
        self._access = access
        self._publish = Publisher(redis)
        self._seats = seats
        self._events = events

    async def event(self, event_id: int) -> Event:
        """Raises EventNotFound."""
        return await self._events.by_id(event_id)

    async def tell(
        self, reservation: Reservation, *, sold: Sequence[int], freed: Sequence[int], returned: Sequence[int] = ()
    ) -> None:
        """Puts an ended reservation's seats on the board, ends the visitor's payment, and pushes the result.

        `sold`, `freed`: the ordinals whose seats are now as this reservation left them; `returned`: seats that are no
        part of the buyer's share any more and stay as the board shows them, until the waiting list lets go of them.
        """
        event = await self._events.by_id(reservation.event_id)
        given_back = [*freed, *returned]
        if reservation.status is ReservationStatus.CONFIRMED:
            await self._seats.settle(event, reservation.visitor, reservation.fence, sold, SeatState.SOLD)
            if given_back:  # single seats were given back: they are no part of the buyer's share any more
                await self._seats.settle(event, reservation.visitor, reservation.fence, given_back, SeatState.AVAILABLE)
        else:
            unpaid = reservation.ticket_code is None and reservation.reason in _LET_GO
            await self._seats.settle(
                event, reservation.visitor, reservation.fence, given_back, SeatState.AVAILABLE, unpaid=unpaid
            )
        # Seats that were sold: a late AVAILABLE never opens those by itself.
        if (freed and reservation.ticket_code is not None) or (
            reservation.status is ReservationStatus.CANCELLED and freed
        ):
            await self._seats.reopen(event, freed)
        if reservation.over and reservation.code is not None and reservation.ticket_code is None:
            # Nothing was bought with it: PostgreSQL counts it no more either.
            await self._access.free_again(event, reservation.visitor, reservation.code, reservation.id)
        await self.push(reservation)

    async def push(self, reservation: Reservation) -> None:
        """The reservation as it is, to the one visitor's browser, through whichever process has it."""
        message = orjson.dumps(
            {
                "visitor": reservation.visitor,
                "id": str(reservation.id),
                "status": reservation.status,
                "reason": reservation.reason,
                "seats": reservation.seats,
                "amount": reservation.amount,
                "currency": reservation.currency,
            }
        )
        await self._publish(keys.reservations_channel(reservation.slug), message)
