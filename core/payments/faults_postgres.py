"""The latest attempts, for `faults.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.database import raw
from core.payments.faults import LATEST, MINUTES, WINDOW, Ended, Fault, faults

if TYPE_CHECKING:
    import databases

_LATEST = """
SELECT a.provider, r.visitor, a.code, a.state = 'APPROVED' AS approved,
       cardinality(a.refused_keys) > 0 OR coalesce(starts_with(a.code, $3), false) AS brought,
       a.faulted_at IS NOT NULL AND (a.shops_fault
           OR cardinality(a.refused_keys) = 0 AND NOT coalesce(starts_with(a.code, $3), false)) AS ours
FROM payment_attempts a JOIN reservations r ON r.id = a.reservation_id
WHERE (a.called_at > now() - make_interval(mins => $1) OR a.faulted_at > now() - make_interval(mins => $1))
  AND a.provider <> 'none'
ORDER BY greatest(a.called_at, a.faulted_at, a.approved_at) DESC
LIMIT $2
"""


async def shops_faults(database: databases.Database) -> list[Fault]:
    """Raises StoreUnavailable."""
    async with raw(database) as connection:
        # Of several providers together; one that nobody pays with has no faults.
        rows = await connection.fetch(_LATEST, MINUTES, 5 * LATEST, WINDOW)
    return faults([Ended(**row) for row in rows])
