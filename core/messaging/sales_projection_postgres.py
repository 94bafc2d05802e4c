"""Live sales figures of each event, kept by a consumer: the operator's page reads them without counting seats.

The figures and the mark of the event that changed them commit together, so each reservation counts once. Additions
commute: it does not matter in which order the partitions' events arrive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import asyncpg
import databases

from core.database import raw
from core.messaging.reservation_message import EventType, ReservationMessage


@dataclass(slots=True)
class Tally:
    """Seats and money (minor units) of one minute."""

    sold: int = 0
    revenue: int = 0
    returned: int = 0
    refunded: int = 0


@dataclass(slots=True)
class Changes:
    """What a batch of events changes: seats and money by (event id, category), and by (event id, minute)."""

    by_category: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    by_minute: defaultdict[tuple[int, datetime], Tally] = field(default_factory=lambda: defaultdict(Tally))


def changes(events: Sequence[ReservationMessage]) -> Changes:
    """A confirmation adds its seats; seats that are given back are taken away again."""
    result = Changes()
    for event in events:
        if not counts(event):
            continue
        sign = 1 if event.type == EventType.CONFIRMED else -1
        tally = result.by_minute[event.event_id, event.at.replace(second=0, microsecond=0)]
        for seat in event.seats:
            sold, revenue = result.by_category.get((event.event_id, seat.category), (0, 0))
            result.by_category[event.event_id, seat.category] = (sold + sign, revenue + sign * seat.price)
            if sign > 0:
                tally.sold += 1
                tally.revenue += seat.price
            else:
                tally.returned += 1
                tally.refunded += seat.price
    return result


def counts(event: ReservationMessage) -> bool:
    """A reservation that was given up while it was being paid for has no ticket, and was never counted."""
    return event.type in (EventType.CONFIRMED, EventType.REFUNDED) or (
        event.type == EventType.CANCELLED and event.ticket_code is not None
    )


# In key order, so that two batches wait for each other and do not deadlock; events that were deleted are passed over.
_CATEGORIES = """
INSERT INTO sales_by_category AS s (event_id, category, sold, revenue)
SELECT d.event_id, d.category, d.sold, d.revenue
FROM unnest($1::bigint[], $2::text[], $3::int[], $4::bigint[]) AS d (event_id, category, sold, revenue)
JOIN events ON events.id = d.event_id
ORDER BY d.event_id, d.category
ON CONFLICT (event_id, category) DO UPDATE SET sold = s.sold + EXCLUDED.sold, revenue = s.revenue + EXCLUDED.revenue
"""

_MINUTES = """
INSERT INTO sales_by_minute AS s (event_id, minute, sold, revenue, returned, refunded)
SELECT d.event_id, d.minute, d.sold, d.revenue, d.returned, d.refunded
FROM unnest($1::bigint[], $2::timestamptz[], $3::int[], $4::bigint[], $5::int[], $6::bigint[])
     AS d (event_id, minute, sold, revenue, returned, refunded)
JOIN events ON events.id = d.event_id
ORDER BY d.event_id, d.minute
ON CONFLICT (event_id, minute) DO UPDATE SET sold = s.sold + EXCLUDED.sold, revenue = s.revenue + EXCLUDED.revenue,
    returned = s.returned + EXCLUDED.returned, refunded = s.refunded + EXCLUDED.refunded
"""


class SalesProjection:
    """The consumer. Its transactions may hold many events."""

    name: Final = "sales"
    batch: Final = 2000
    concurrency: Final = 1
    types: Final = frozenset({EventType.CONFIRMED, EventType.CANCELLED, EventType.REFUNDED})

    async def handle(self, connection: asyncpg.Connection, events: Sequence[ReservationMessage]) -> None:
        change = changes(events)
        categories = [(*key, *value) for key, value in change.by_category.items()]
        minutes = [
            (*key, tally.sold, tally.revenue, tally.returned, tally.refunded) for key, tally in change.by_minute.items()
        ]
        if categories:
            await connection.execute(_CATEGORIES, *map(list, zip(*categories, strict=True)))
        if minutes:
            await connection.execute(_MINUTES, *map(list, zip(*minutes, strict=True)))


@dataclass(frozen=True, slots=True)
class SalesFigures:
    """Seats and money (minor units) sold and not given back; `by_category`: name -> (sold, revenue);
    `by_minute`: minute (UTC) -> what happened in it, the newest last."""

    sold: int
    revenue: int
    by_category: Mapping[str, tuple[int, int]]
    by_minute: Mapping[datetime, Tally]


async def sales_figures(database: databases.Database, event_id: int, *, minutes: int = 60) -> SalesFigures:
    """The figures of one event, with its last `minutes` minutes that had sales. Raises StoreUnavailable."""
    async with raw(database) as connection:
        categories = await connection.fetch(
            "SELECT category, sold, revenue FROM sales_by_category WHERE event_id = $1 ORDER BY category", event_id
        )
        rows = await connection.fetch(
            "SELECT minute, sold, revenue, returned, refunded FROM sales_by_minute WHERE event_id = $1 "
            "ORDER BY minute DESC LIMIT $2",
            event_id,
            minutes,
        )
    by_category = {row["category"]: (row["sold"], row["revenue"]) for row in categories}
    return SalesFigures(
        sold=sum(sold for sold, _ in by_category.values()),
        revenue=sum(revenue for _, revenue in by_category.values()),
        by_category=by_category,
        by_minute={row["minute"]: Tally(*list(row.values())[1:]) for row in reversed(rows)},
    )
