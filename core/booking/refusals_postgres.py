"""Why PostgreSQL's guard says no to a buyer, where it is neither the seats nor a repeat. What it judges by is asked
again: the guard itself is one statement that either does all or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import databases

from core.booking.addresses import Addresses
from core.booking.attempt import AttemptState
from core.booking.reservation import Reservation, SeatStatus
from core.booking.statements_postgres import STATEMENTS, fetch_row
from core.booking.stored import NewReservation
from core.database import raw
from core.errors import CodeUsed, OnsaleError, PaymentPaused, QuotaReached, TooManySeats

_SEAT_TRUTH = STATEMENTS["seat_truth"]
_NOT_TAKING_PLACE = "SELECT FROM events WHERE id = $1 AND cancelled_at IS NOT NULL"
_PAUSED = STATEMENTS["failures"]
_OVER_SHARE = STATEMENTS["over_share"]
_PHASE_REFUSAL = STATEMENTS["phase_refusal"]


class Refusals:
    """All calls raise StoreUnavailable when PostgreSQL is away. `addresses`: which of them are one buyer's."""

    def __init__(self, database: databases.Database, addresses: Addresses) -> None:
        self._database = database
        self._addresses = addresses

    async def of_buyer(self, new: NewReservation) -> OnsaleError | None:
        """What says no to this buyer: PaymentPaused (the last payments failed), TooManySeats (of one buyer, or of one
        address), QuotaReached (the seats that the phase may sell), CodeUsed. None: nothing does.
        """
        pause = await self._row(_PAUSED, new.event_id, new.visitor)
        if pause is not None and pause["seconds"] > 0:
            return PaymentPaused(retry_after=float(pause["seconds"]))
        address = self._addresses.key(new.email)
        counted = [AttemptState.AUTHORISED, AttemptState.CALLED]
        share = await self._row(
            _OVER_SHARE, new.event_id, new.visitor, address, len(new.seats), counted, None, new.phase
        )
        if share is not None:
            return TooManySeats.of_buyer(int(share["max"]))
        phase = await self._row(_PHASE_REFUSAL, new.event_id, new.phase, len(new.seats), new.code, new.offer)
        assert phase is not None  # noqa: S101 - an expression always has its row
        if not phase["room"]:
            return QuotaReached(phase=new.phase)
        return None if phase["good"] else CodeUsed()

    async def event_cancelled(self, event_id: int) -> bool:
        """Whether the event does not take place: nothing is ordered or paid for any more."""
        return await self._row(_NOT_TAKING_PLACE, event_id) is not None

    async def address_full(self, reservation: Reservation) -> bool:
        """Whether the seats of this reservation, which is being paid for, are more than its address may have besides
        those that it has.
        """
        address = self._addresses.key(reservation.email)
        row = await self._row(
            _OVER_SHARE,
            reservation.event_id,
            None,
            address,
            len(reservation.seats),
            [AttemptState.CALLED],
            reservation.id,
            reservation.phase,
        )
        return row is not None

    async def seat_truth(self, event_id: int, ordinals: Sequence[int]) -> Mapping[int, SeatStatus]:
        """What each of the seats is in PostgreSQL."""
        async with raw(self._database) as connection:
            rows = await connection.fetch(_SEAT_TRUTH, event_id, list(ordinals))
        return {row["ordinal"]: SeatStatus(row["status"]) for row in rows}

    async def _row(self, query: str, *arguments: Any) -> Any:
        return await fetch_row(self._database, query, *arguments)
