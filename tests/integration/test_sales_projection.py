"""Live sales figures (issue: events): each reservation counts once, whatever the order and however often delivered."""

from __future__ import annotations

import asyncio
import random
import uuid
from datetime import UTC, datetime
from typing import Any

import databases
import pytest

from core.messaging.delivery_postgres import deliver
from core.messaging.reservation_message import ReservationMessage, parse
from core.messaging.sales_projection_postgres import SalesProjection, Tally, sales_figures
from tests.outbox_rows import fetch, payload

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
async def event_id(database: databases.Database) -> int:
    rows = await fetch(
        database,
        "INSERT INTO events (slug, name, currency, prices, active_limit, hold_seconds, max_seats, plan, plan_digest, "
        "seat_count) VALUES ($1, 'n', 'KRW', '{}', 1, 1, 1, '{}', '', 0) RETURNING id",
        f"s-{uuid.uuid4()}",
    )
    return int(rows[0]["id"])


def event(
    event_id: int, type_: str, seats: dict[str, int], *, at: str = "2026-03-01T09:00:10Z", **fields: Any
) -> ReservationMessage:
    lines = [
        {"ordinal": number, "version": 2, "status": "SOLD", "price": price, "category": category}
        for number, (category, price) in enumerate(seats.items())
    ]
    return parse(uuid.uuid4(), type_, payload(uuid.uuid4(), event_id=event_id, seats=lines, at=at, **fields))


async def test_figures(database: databases.Database, event_id: int) -> None:
    events = [
        event(event_id, "reservation.paying", {"R": 100}),
        event(event_id, "reservation.confirmed", {"R": 100, "S": 50}),
        event(event_id, "reservation.confirmed", {"R": 100}, at="2026-03-01T09:01:59.999Z"),
        event(event_id, "reservation.failed", {"R": 100}, ticket_code=None),
        event(event_id, "reservation.cancelled", {"R": 100}, ticket_code=None),
        event(event_id, "reservation.cancelled", {"R": 100}, at="2026-03-01T09:02:00Z"),
    ]
    assert not (await deliver(database, SalesProjection(), events)).failed
    figures = await sales_figures(database, event_id)
    assert (figures.sold, figures.revenue) == (2, 150)
    assert figures.by_category == {"R": (1, 100), "S": (1, 50)}
    assert list(figures.by_minute.items()) == [
        (datetime(2026, 3, 1, 9, 0, tzinfo=UTC), Tally(sold=2, revenue=150)),
        (datetime(2026, 3, 1, 9, 1, tzinfo=UTC), Tally(sold=1, revenue=100)),
        (datetime(2026, 3, 1, 9, 2, tzinfo=UTC), Tally(returned=1, refunded=100)),
    ]
    newest = await sales_figures(database, event_id, minutes=1)
    assert list(newest.by_minute) == [datetime(2026, 3, 1, 9, 2, tzinfo=UTC)]


async def test_many_deliveries_at_once_in_any_order_count_once(database: databases.Database, event_id: int) -> None:
    """Three consumers with overlapping batches of several events: no deadlock, no double count."""
    events = [
        event(event_id, "reservation.confirmed", {random.choice("ABCD"): 10}, at=f"2026-03-01T09:{number % 60:02}:00Z")
        for number in range(200)
    ]

    async def consumer() -> None:
        for _ in range(3):
            batch = random.sample(events, 120)
            delivery = await deliver(database, SalesProjection(), batch)
            assert not delivery.failed
        await deliver(database, SalesProjection(), events)

    await asyncio.gather(*(consumer() for _ in range(3)))
    figures = await sales_figures(database, event_id, minutes=1000)
    assert (figures.sold, figures.revenue) == (200, 2000)
    assert sum(tally.sold for tally in figures.by_minute.values()) == 200


async def test_an_event_that_was_deleted_is_passed_over(database: databases.Database) -> None:
    assert not (await deliver(database, SalesProjection(), [event(-5, "reservation.confirmed", {"R": 1})])).failed
    assert (await sales_figures(database, -5)).sold == 0
