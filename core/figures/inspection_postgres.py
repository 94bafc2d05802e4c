"""What PostgreSQL knows of a seat and of a customer, for the inspector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import databases

from core.database import raw

_SEAT = """
SELECT ordinal, zone, row_label, seat_number, category, price, status, fence, version, updated_at
FROM seats WHERE event_id = $1 AND ordinal = $2
"""
_OF_SEAT = """
SELECT r.id, r.visitor, r.status, r.reason, r.email, r.created_at, s.live
FROM reservation_seats s JOIN reservations r ON r.id = s.reservation_id
WHERE s.event_id = $1 AND s.ordinal = $2 ORDER BY r.created_at DESC LIMIT 20
"""
_FOUND = """
SELECT r.id, e.slug AS event, r.visitor, r.status, r.reason, r.email, r.amount, r.currency, r.created_at,
       array(SELECT ordinal FROM reservation_seats s WHERE s.reservation_id = r.id ORDER BY ordinal) AS seats
FROM reservations r JOIN events e ON e.id = r.event_id
WHERE {condition} ORDER BY r.created_at DESC LIMIT 20
"""
_BY = {
    "id": "r.id = $1::uuid",
    "visitor": "r.visitor = $1",
    "email": "lower(r.email) = lower($1)",
    "order": "r.id = (SELECT reservation_id FROM payment_attempts WHERE order_no = $1)",
}


async def seat_row(database: databases.Database, event_id: int, ordinal: int) -> Any | None:
    """Raises StoreUnavailable."""
    async with raw(database) as connection:
        return await connection.fetchrow(_SEAT, event_id, ordinal)


async def reservations_of_seat(database: databases.Database, event_id: int, ordinal: int) -> Sequence[Any]:
    """The newest first. Raises StoreUnavailable."""
    async with raw(database) as connection:
        found: Sequence[Any] = await connection.fetch(_OF_SEAT, event_id, ordinal)
    return found


async def find_reservations(database: databases.Database, by: str, value: object) -> Sequence[Any]:
    """`by` is id, visitor, email or order (its number at the provider). The newest first, 20 at most.

    Raises StoreUnavailable.
    """
    async with raw(database) as connection:
        found: Sequence[Any] = await connection.fetch(_FOUND.format(condition=_BY[by]), value)
    return found
