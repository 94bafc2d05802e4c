"""A reservation whose guard PostgreSQL did not answer: it may have been made. It is looked up, never guessed."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from core.booking.reservation import Reservation
from core.booking.reservations_postgres import Reservations
from core.booking.results_redis import Seats
from core.booking.stored import NewReservation
from core.errors import StoreUnavailable
from core.process.backoff import Backoff
from core.venue.event import Event

log = structlog.get_logger(__name__)

_FIND_OUT_SECONDS: Final = 300.0
_PAUSES: Final = Backoff(first=0.2, longest=5.0)
_PAUSE_ANSWERED: Final = 0.5
# Before the buyer is told that it is not known.
_READ_BACK_SECONDS: Final = 1.0
# A statement that PostgreSQL has been given may still be carried out for so long after it answers others again.
_MAY_STILL_COME_SECONDS: Final = 3.0


class Unanswered:
    """What became of a guard that was not answered."""

    def __init__(self, reservations: Reservations, seats: Seats) -> None:
        self._reservations = reservations
        self._seats = seats

    async def read_back(self, new: NewReservation) -> Reservation | None:
        """The reservation, if it is there and PostgreSQL says so at once."""
        try:
            async with asyncio.timeout(_READ_BACK_SECONDS):
                stored = await self._reservations.get(new.id)
        except (StoreUnavailable, TimeoutError):
            return None
        return stored.reservation if stored is not None else None

    async def find_out(self, event: Event, new: NewReservation) -> None:
        """Asks until it is known whether there is a reservation; without one the basket is the visitor's again."""
        loop = asyncio.get_running_loop()
        until, failures, pause = loop.time() + _FIND_OUT_SECONDS, 1, _PAUSES.seconds(1)
        answered: float | None = None
        while loop.time() < until:
            await asyncio.sleep(pause)
            failures += 1
            pause = _PAUSES.seconds(failures)
            try:
                # A reservation that is there has its job in its attempt's row.
                if await self._reservations.get(new.id) is None:
                    if answered is None or loop.time() < answered + _MAY_STILL_COME_SECONDS:
                        # A PostgreSQL that hung carries out what it was given meanwhile, in any order.
                        answered, failures, pause = answered or loop.time(), 1, _PAUSE_ANSWERED
                        continue
                    await self._seats.abort_payment(event, new.visitor, new.fence, new.seats)
                return
            except StoreUnavailable:
                answered = None
        log.error("whether a reservation was made could not be learnt", reservation=str(new.id), visitor=new.visitor)
