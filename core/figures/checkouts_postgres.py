"""What became of the latest checkouts, and how long buyers waited for it. From PostgreSQL, so of all processes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import databases

from core.database import raw

WINDOW_SECONDS = 60
# The outbox has no index by time, and needs none for this: its newest rows are found by their ids. In a rush the
# window is shorter than a minute, and says so.
_NEWEST_ROWS = 1_000

_ENDED = """
WITH newest AS (
    SELECT reservation_id, type, created_at FROM outbox ORDER BY id DESC LIMIT $2)
SELECT n.type, r.reason, extract(epoch FROM n.created_at - r.created_at)::float AS seconds,
       extract(epoch FROM now() - n.created_at)::float AS age
FROM newest n JOIN reservations r ON r.id = n.reservation_id
WHERE r.event_id = $1 AND n.created_at > now() - make_interval(secs => $3)
  AND n.type IN ('reservation.confirmed', 'reservation.failed')
"""
_UNDER_WAY = "SELECT count(*) FROM reservations WHERE event_id = $1 AND status = 'PAYING'"


@dataclass(frozen=True, slots=True)
class Checkouts:
    """Checkouts that ended within `seconds`; the median and the 95th percentile of their length, None without any.

    `reasons` counts the failed ones by reason; `under_way` are being paid for now.
    """

    seconds: float
    confirmed: int
    failed: int
    reasons: Mapping[str, int]
    median_seconds: float | None
    p95_seconds: float | None
    under_way: int


async def checkouts(database: databases.Database, event_id: int) -> Checkouts:
    """Raises StoreUnavailable."""
    async with raw(database) as connection:
        rows = await connection.fetch(_ENDED, event_id, _NEWEST_ROWS, float(WINDOW_SECONDS))
        under_way = await connection.fetchval(_UNDER_WAY, event_id)
    lengths = sorted(row["seconds"] for row in rows)
    failed = Counter(row["reason"] or "unknown" for row in rows if row["type"] == "reservation.failed")
    full = len(rows) * 2 >= _NEWEST_ROWS
    return Checkouts(
        seconds=max(row["age"] for row in rows) if full else WINDOW_SECONDS,
        confirmed=len(rows) - failed.total(),
        failed=failed.total(),
        reasons=dict(failed),
        median_seconds=_quantile(lengths, 0.5),
        p95_seconds=_quantile(lengths, 0.95),
        under_way=under_way,
    )


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3) if ordered else None
