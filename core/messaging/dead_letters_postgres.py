"""Dead letters: messages that a consumer gave up, until an operator sends them again, or lets go of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import databases

from core.database import raw
from core.messaging import measures


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`source` is `outbox/ID` or `TOPIC/PARTITION/OFFSET`; a message that could not be read has only
    `raw`.
    """

    id: int
    consumer: str
    source: str
    event_uid: UUID | None
    reservation_id: UUID | None
    type: str | None
    payload: Mapping[str, Any] | None
    raw: bytes | None
    error: str
    attempts: int
    failed_at: datetime
    retried_at: datetime | None
    discarded_at: datetime | None


_COLUMNS = (
    "id, consumer, source, event_uid, reservation_id, type, payload, raw, error, attempts, failed_at, retried_at, "
    "discarded_at"
)

#: What waits for an operator.
OPEN = "retried_at IS NULL AND discarded_at IS NULL"

_BURY = """
INSERT INTO dead_letters (consumer, source, event_uid, reservation_id, type, payload, raw, error, attempts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (consumer, source) DO NOTHING RETURNING id
"""

# Back through the outbox, under the event's own uid and for this consumer alone: the consumer has not marked
# the event as processed, and every other one passes it over, even when its own mark was purged long ago. The
# random reservation id of an unreadable message keeps it from waiting for, or holding up, a real reservation.
_RETRY = f"""
WITH letters AS (
    UPDATE dead_letters SET retried_at = now()
    WHERE {OPEN} AND ($1::bigint[] IS NULL OR id = ANY($1::bigint[]))
    RETURNING *)
INSERT INTO outbox (event_uid, reservation_id, type, payload, raw, only_for)
SELECT coalesce(event_uid, gen_random_uuid()), coalesce(reservation_id, gen_random_uuid()),
       coalesce(type, 'unreadable'), coalesce(payload, '{{}}'), raw, nullif(consumer, 'relay')
FROM letters ORDER BY id
RETURNING id
"""  # noqa: S608 - a constant
# The row stays, so that the same message, read from Kafka once more, is not buried anew.
_DISCARD = f"""
UPDATE dead_letters SET discarded_at = now() WHERE {OPEN} AND id = ANY($1::bigint[]) RETURNING id
"""  # noqa: S608 - a constant


class DeadLetters:
    """Every method raises StoreUnavailable when PostgreSQL is away."""

    def __init__(self, database: databases.Database) -> None:
        self._database = database

    async def bury(
        self,
        *,
        consumer: str,
        source: str,
        error: str,
        attempts: int,
        event_uid: UUID | None = None,
        reservation_id: UUID | None = None,
        type_: str | None = None,
        payload: Mapping[str, Any] | None = None,
        raw_message: bytes | None = None,
    ) -> None:
        """Writes one down; the same message of the same consumer again changes nothing."""
        async with raw(self._database) as connection:
            new = await connection.fetchval(
                _BURY, consumer, source, event_uid, reservation_id, type_, payload, raw_message, error[:2000], attempts
            )
        if new is not None:
            measures.DEAD.labels(consumer).inc()

    async def list(self, *, limit: int = 100, retried: bool = False) -> Sequence[DeadLetter]:
        """Those that wait for an operator, the oldest first; with `retried` also those sent again or let go of."""
        condition = "true" if retried else OPEN
        async with raw(self._database) as connection:
            records = await connection.fetch(
                f"SELECT {_COLUMNS} FROM dead_letters WHERE {condition} ORDER BY id LIMIT $1",  # noqa: S608 - constants
                limit,
            )
        return [DeadLetter(*record.values()) for record in records]

    async def count(self) -> int:
        async with raw(self._database) as connection:
            return int(await connection.fetchval(f"SELECT count(*) FROM dead_letters WHERE {OPEN}"))  # noqa: S608

    async def retry(self, ids: Sequence[int] | None = None) -> int:
        """Sends these (None: all) through the outbox again; returns how many. A letter is sent again once;
        when it fails again it is a new letter.
        """
        async with raw(self._database, writes=True) as connection:
            return len(await connection.fetch(_RETRY, None if ids is None else list(ids)))

    async def discard(self, ids: Sequence[int]) -> int:
        """Lets go of these: nobody sends them again. Returns how many; those sent again or discarded before do not
        count.
        """
        async with raw(self._database, writes=True) as connection:
            return len(await connection.fetch(_DISCARD, list(ids)))
