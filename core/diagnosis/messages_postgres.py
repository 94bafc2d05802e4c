"""What a buyer should have been told: outbox, dead letters, this reservation's e-mail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from uuid import UUID

import databases

from core.database import planned_anew, raw
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.sentences import said

_LATE_SECONDS = 60

_OUTBOX = """
SELECT count(*) AS unsent, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float AS seconds,
       (array_agg(error ORDER BY id) FILTER (WHERE error IS NOT NULL))[1] AS error,
       array_agg(DISTINCT claimed_by) FILTER (WHERE claimed_until > now() + interval '1 minute') AS claims,
       count(*) FILTER (WHERE error LIKE '%mail server%' OR error LIKE '%MailAway%') AS unmailed
FROM outbox WHERE sent_at IS NULL
"""
_FREE = """
UPDATE outbox SET claimed_by = NULL, claimed_until = NULL
WHERE sent_at IS NULL AND claimed_by = ANY($1::text[]) AND claimed_until > now() RETURNING id
"""
_DEAD = "SELECT count(*) FROM dead_letters WHERE retried_at IS NULL AND discarded_at IS NULL"
_EMAIL = """
SELECT o.type, o.sent_at IS NOT NULL AS sent, o.error,
       EXISTS (SELECT FROM processed_events p WHERE p.consumer = 'email' AND p.event_uid = o.event_uid) AS mailed,
       (SELECT d.error FROM dead_letters d
        WHERE d.consumer = 'email' AND d.event_uid = o.event_uid AND d.retried_at IS NULL
         AND d.discarded_at IS NULL LIMIT 1) AS dead
FROM outbox o WHERE o.reservation_id = $1 AND o.type <> 'reservation.paying' ORDER BY o.id DESC LIMIT 1
"""


async def pipeline(
    database: databases.Database, is_gone: Callable[[str], bool] = lambda name: False
) -> AsyncIterator[Finding]:
    """`is_gone`: whether the process that has a claim works no more."""
    async with raw(database) as connection:
        outbox = await connection.fetchrow(_OUTBOX)
        dead = await connection.fetchval(_DEAD)
    assert outbox is not None  # noqa: S101 - an aggregate always has its row
    standing = said("outbox.standing", unsent=outbox["unsent"], seconds=round(outbox["seconds"]))
    if outbox["error"]:
        standing = said("outbox.error", standing=standing, why=outbox["error"][:200])
    gone = [claim for claim in outbox["claims"] or () if is_gone(claim)]
    late = outbox["seconds"] > _LATE_SECONDS
    if gone:
        claimed = said("outbox.claimed", standing=standing, who=gone[0])
        yield fail("outbox", Cause.RELAY_STUCK, claimed, "outbox", ",".join(gone))
    elif late and outbox["unmailed"]:
        yield fail("outbox", Cause.MAIL_AWAY, standing)
    else:
        yield fail("outbox", Cause.RELAY_STUCK, standing) if late else passed("outbox", standing)
    if dead:
        yield warn("dead letters", Cause.DEAD_LETTERS, said("dead_letters.wait", number=dead))
    else:
        yield passed("dead letters", said("dead_letters.none"))


async def free_claims(database: databases.Database, claims: Sequence[str]) -> bool:
    """Raises StoreUnavailable."""
    async with raw(database) as connection:
        return bool(await connection.fetch(_FREE, list(claims)))


async def email(database: databases.Database, reservation: UUID) -> AsyncIterator[Finding]:
    async with raw(database) as connection, planned_anew(connection):
        row = await connection.fetchrow(_EMAIL, reservation)
    if row is None:
        yield passed("e-mail", said("email.none"))
    elif row["mailed"]:
        yield passed("e-mail", said("email.sent", type=row["type"]))
    elif row["dead"]:
        yield fail("e-mail", Cause.EMAIL_DEAD, said("email.dead", type=row["type"], why=row["dead"][:200]))
    else:
        why = (row["error"] or "")[:200]
        seen = said("email.handed_over", type=row["type"]) if row["sent"] else said("email.in_outbox", type=row["type"])
        cause = Cause.MAIL_AWAY if "mail server" in why else Cause.EMAIL_PENDING
        yield warn("e-mail", cause, said("email.error", standing=seen, why=why) if why else seen)
