"""The outbox: events written in the transaction of what happened, and claimed by relays to be sent.

A relay claims rows with one statement and a lease token; whatever it says later about them is filtered by
that token, so a relay that was thought dead and comes back changes nothing. Of each reservation only the
earliest unsent row is ever handed out: its events leave in order whatever fails, however many relays run.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import databases

from core.database import BACKGROUND_SECONDS, raw


class OutboxRow(NamedTuple):
    """A claimed row. `attempts` counts this claim as well; `raw` is set instead of a payload for an
    unreadable message.
    """

    id: int
    event_uid: UUID
    reservation_id: UUID
    type: str
    payload: Mapping[str, Any]
    attempts: int
    only_for: str | None
    raw: bytes | None


@dataclass(frozen=True, slots=True)
class OutboxClaim:
    """Rows (by id, ascending) under one lease."""

    lease: str
    rows: tuple[OutboxRow, ...]


@dataclass(frozen=True, slots=True)
class Lag:
    """`unsent` rows, the oldest of them `seconds` old (0 when there is none)."""

    unsent: int
    seconds: float


# `FOR UPDATE` looks at the newest version of a row again before it locks it, so a row that another relay
# claimed since this statement's snapshot fails the lease condition. The earlier-row condition may be judged
# by the snapshot: rows of a reservation appear in order, because each is written under the lock of the
# reservation's row.
# An array instead of a join: by the primary key, whatever the planner believes about a table that is mostly sent rows.
_CLAIM = """
WITH due AS (
    SELECT o.id FROM outbox o
    WHERE o.sent_at IS NULL
      AND (o.claimed_until IS NULL OR o.claimed_until <= now())
      AND NOT EXISTS (
          SELECT FROM outbox earlier
          WHERE earlier.reservation_id = o.reservation_id AND earlier.sent_at IS NULL AND earlier.id < o.id)
    ORDER BY o.id
    LIMIT $1
    FOR UPDATE OF o SKIP LOCKED)
UPDATE outbox o
SET claimed_by = $2, claimed_until = now() + $3::interval, attempts = o.attempts + 1
WHERE o.id = ANY(ARRAY(SELECT id FROM due))
RETURNING o.id, o.event_uid, o.reservation_id, o.type, o.payload, o.attempts, o.only_for, o.raw
"""

_MARK_SENT = """
UPDATE outbox SET sent_at = now(), claimed_by = NULL, claimed_until = NULL, error = NULL
WHERE id = ANY($1::bigint[]) AND claimed_by = $2 AND sent_at IS NULL
"""

_DEFER = """
UPDATE outbox o
SET claimed_by = NULL, claimed_until = now() + d.seconds * interval '1 second', error = d.error,
    attempts = o.attempts - CASE WHEN d.counted THEN 0 ELSE 1 END
FROM unnest($1::bigint[], $3::float8[], $4::text[], $5::boolean[]) AS d (id, seconds, error, counted)
WHERE o.id = d.id AND o.claimed_by = $2 AND o.sent_at IS NULL
"""

_RENEW = """
UPDATE outbox SET claimed_until = now() + $2::interval
WHERE claimed_by = $1 AND id = ANY($3::bigint[]) AND sent_at IS NULL
"""

# Nobody sends it any more, and the reservation's next event may go: one statement, so that neither happens alone.
_BURY = """
WITH buried AS (
    UPDATE outbox SET sent_at = now(), claimed_by = NULL, claimed_until = NULL, error = $3
    WHERE id = $1 AND claimed_by = $2 AND sent_at IS NULL
    RETURNING *)
INSERT INTO dead_letters (consumer, source, event_uid, reservation_id, type, payload, raw, error, attempts)
SELECT $4, 'outbox/' || id, event_uid, reservation_id, type, payload, raw, $3, attempts FROM buried
ON CONFLICT (consumer, source) DO NOTHING
"""

_LAG = """
SELECT count(*) AS unsent, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS seconds
FROM outbox WHERE sent_at IS NULL
"""


class Outbox:
    """All that relays do with the table; whoever changes a reservation writes it in its own statement.

    Every method raises StoreUnavailable when PostgreSQL is away.
    """

    def __init__(self, database: databases.Database, *, process: str) -> None:
        self._database = database
        self._process = process

    async def claim(self, limit: int, lease_seconds: float) -> OutboxClaim:
        """Up to `limit` rows that nobody else gets for `lease_seconds`: at most one of each reservation."""
        lease = f"{self._process}:{uuid.uuid4()}"
        async with raw(self._database) as connection:
            records = await connection.fetch(
                _CLAIM, limit, lease, timedelta(seconds=lease_seconds), timeout=BACKGROUND_SECONDS
            )
        # By the first column, the id.
        return OutboxClaim(lease, tuple(sorted(map(OutboxRow._make, records), key=itemgetter(0))))

    async def renew(self, claim: OutboxClaim, lease_seconds: float) -> None:
        """Keeps the claim while a long batch is under way."""
        async with raw(self._database) as connection:
            await connection.execute(
                _RENEW, claim.lease, timedelta(seconds=lease_seconds), [row.id for row in claim.rows]
            )

    async def mark_sent(self, claim: OutboxClaim, ids: Sequence[int]) -> int:
        """Returns how many were still ours; the others were claimed by another relay, which sends them
        again.
        """
        if not ids:
            return 0
        async with raw(self._database) as connection:
            done = await connection.execute(_MARK_SENT, list(ids), claim.lease, timeout=BACKGROUND_SECONDS)
        return int(done.rpartition(" ")[2])  # `UPDATE n`

    async def defer(self, claim: OutboxClaim, rows: Sequence[tuple[int, float, str, bool]]) -> None:
        """Gives rows back: (id, seconds until anybody may claim it, error, whether the try counts)."""
        if not rows:
            return
        ids, seconds, errors, counted = (list(column) for column in zip(*rows, strict=True))
        async with raw(self._database) as connection:
            await connection.execute(_DEFER, ids, claim.lease, seconds, errors, counted, timeout=BACKGROUND_SECONDS)

    async def bury(self, claim: OutboxClaim, row: OutboxRow, *, consumer: str, error: str) -> None:
        """The row becomes a dead letter of `consumer`, and counts as sent."""
        async with raw(self._database) as connection:
            await connection.execute(_BURY, row.id, claim.lease, error, consumer)

    async def lag(self) -> Lag:
        async with raw(self._database) as connection:
            # Whoever waits for this has a patience of its own; an hour of Kafka away is many rows.
            record = await connection.fetchrow(_LAG, timeout=BACKGROUND_SECONDS)
        assert record is not None  # noqa: S101 - an aggregate without GROUP BY has one row
        return Lag(record["unsent"], record["seconds"])
