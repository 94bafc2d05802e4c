"""The event that a rush makes for itself: a plan of as many seats as asked for, one category, open at once."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

import orjson

from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.event_store_postgres import EventStore
from core.venue.new_event import NewEvent

PRICE = 15_000
CATEGORY = "Standard"

_ROW = 40
_PITCH = 26.0


def generated_plan(seats: int) -> bytes:
    """A seating plan file: one zone with rows of 40 seats."""
    rows: list[dict[str, Any]] = [
        {
            "row_number": str(first // _ROW + 1),
            "position": {"x": 0, "y": _PITCH * (first // _ROW)},
            "seats": [
                {
                    "seat_guid": f"R-{number}",
                    "seat_number": str(number - first + 1),
                    "category": CATEGORY,
                    "position": {"x": _PITCH * (number - first), "y": 0},
                }
                for number in range(first, min(first + _ROW, seats))
            ],
        }
        for first in range(0, seats, _ROW)
    ]
    return orjson.dumps(
        {
            "name": "Rush",
            "categories": [{"name": CATEGORY, "color": "#1f77b4"}],
            "zones": [{"name": "Hall", "position": {"x": 0, "y": 0}, "rows": rows}],
        }
    )


async def make_event(events: EventStore, settings: Settings, *, seats: int, active_limit: int, now: datetime) -> Event:
    """An open event `rush-<date>-<time>-<two letters>`: two rushes may begin in the same second."""
    slug = f"rush-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(1)}"
    new = NewEvent(
        slug=slug,
        name=f"Rush of {now:%Y-%m-%d %H:%M:%S}",
        prices={CATEGORY: PRICE},
        status=SaleStatus.OPEN,
        active_limit=active_limit,
        hold_seconds=round(settings.hold_seconds),
        max_seats=settings.max_seats,
    )
    return await events.create(new, generated_plan(seats))
