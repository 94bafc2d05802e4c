"""Outbox rows as checkout writes them, for tests of what happens to them afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import databases

from core.database import raw
from tests.waits import PATIENCE


def payload(reservation: UUID, **fields: Any) -> dict[str, Any]:
    """What `core/booking/sql/payload.sql` makes; `fields` replace members."""
    body: dict[str, Any] = {
        "event": "hall",
        "event_id": 0,
        "event_name": "An evening",
        "reservation_id": str(reservation),
        "visitor": "visitor-1",
        "status": "CONFIRMED",
        "reason": None,
        "email": "kim@example.org",
        "language": "en",
        "amount": 30000,
        "currency": "KRW",
        "ticket_code": "T-1234567890",
        "at": "2026-03-01T09:00:00.123Z",
        "seats": [
            {
                "ordinal": 4,
                "version": 2,
                "status": "SOLD",
                "price": 15000,
                "category": "R",
                "zone": "Parkett",
                "row": "3",
                "number": "12",
            },
            {
                "ordinal": 5,
                "version": 2,
                "status": "SOLD",
                "price": 15000,
                "category": "R",
                "zone": "Parkett",
                "row": "3",
                "number": "13",
            },
        ],
    }
    return body | fields


async def write(
    database: databases.Database,
    type_: str = "reservation.confirmed",
    *,
    reservation: UUID | None = None,
    **fields: Any,
) -> tuple[int, UUID]:
    """One outbox row; returns its id and the event's uid."""
    reservation = reservation or uuid.uuid4()
    async with raw(database) as connection:
        record = await connection.fetchrow(
            "INSERT INTO outbox (reservation_id, type, payload) VALUES ($1, $2, $3) RETURNING id, event_uid",
            reservation,
            type_,
            payload(reservation, **fields),
            timeout=PATIENCE,
        )
    assert record is not None
    return record["id"], record["event_uid"]


async def fetch(database: databases.Database, query: str, *values: Any) -> Sequence[Any]:
    async with raw(database) as connection:
        return list(await connection.fetch(query, *values, timeout=PATIENCE))
