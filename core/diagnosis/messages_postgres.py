"""What a buyer should have been told: outbox, dead letters, this reservation's e-mail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import databases

from core.database import raw
from core.diagnosis.finding import Cause, Finding, fail, passed, warn

_LATE_SECONDS = 60

_OUTBOX = """
SELECT count(*) AS unsent, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float AS seconds
FROM outbox WHERE sent_at IS NULL
"""
_DEAD = "SELECT count(*) FROM dead_letters WHERE retried_at IS NULL AND discarded_at IS NULL"
_EMAIL = """
SELECT o.type, o.sent_at IS NOT NULL AS sent,
       EXISTS (SELECT FROM processed_events p WHERE p.consumer = 'email' AND p.event_uid = o.event_uid) AS mailed,
       (SELECT d.error FROM dead_letters d
        WHERE d.consumer = 'email' AND d.event_uid = o.event_uid AND d.retried_at IS NULL
         AND d.discarded_at IS NULL LIMIT 1) AS dead
FROM outbox o WHERE o.reservation_id = $1 AND o.type <> 'reservation.paying' ORDER BY o.id DESC LIMIT 1
"""


async def pipeline(database: databases.Database) -> AsyncIterator[Finding]:
    async with raw(database) as connection:
        outbox = await connection.fetchrow(_OUTBOX)
        dead = await connection.fetchval(_DEAD)
    assert outbox is not None  # noqa: S101 - an aggregate always has its row
    detail = f"{outbox['unsent']} events not handed over, the oldest {outbox['seconds']:.0f} s old"
    late = outbox["seconds"] > _LATE_SECONDS
    yield fail("outbox", Cause.RELAY_STUCK, detail) if late else passed("outbox", detail)
    yield warn("dead letters", Cause.DEAD_LETTERS, f"{dead} waiting") if dead else passed("dead letters", "none")


async def email(database: databases.Database, reservation: UUID) -> AsyncIterator[Finding]:
    async with raw(database) as connection:
        row = await connection.fetchrow(_EMAIL, reservation)
    if row is None:
        yield passed("e-mail", "none is due yet")
    elif row["mailed"]:
        yield passed("e-mail", f"{row['type']} was sent")
    elif row["dead"]:
        yield fail("e-mail", Cause.EMAIL_DEAD, f"{row['type']} was given up: {row['dead'][:200]}")
    else:
        where = "handed over, not sent yet" if row["sent"] else "still in the outbox"
        yield warn("e-mail", Cause.EMAIL_PENDING, f"{row['type']} is {where}")
