"""Forgetting: marks, sent rows and old dead letters go after their time (rule 8)."""

from __future__ import annotations

from datetime import timedelta

import databases

from core.audit_postgres import SYSTEM
from core.database import BACKGROUND_SECONDS, raw

# A statement deletes so many rows at most: short locks, and a vacuum that keeps up.
_CHUNK = 5000

# Letters that nobody sent again for this long are of interest to nobody.
_DEAD_LETTER_DAYS = 90.0

# A mark must outlive the last delivery of its event: sent rows and the topic are kept no longer than marks.
_STATEMENTS = {
    "processed_events": "SELECT ctid FROM processed_events WHERE processed_at < now() - $1::interval LIMIT $2",
    "outbox": "SELECT ctid FROM outbox WHERE sent_at < now() - $1::interval LIMIT $2",
    "dead_letters": """
        SELECT ctid FROM dead_letters
        WHERE retried_at < now() - $1::interval OR discarded_at < now() - $1::interval
           OR (retried_at IS NULL AND failed_at < now() - $3::interval)
        LIMIT $2""",
    # A difference that was mended, or that nobody saw again; an open one stays.
    "payment_findings": """
        SELECT ctid FROM payment_findings WHERE ended_at < now() - greatest($1::interval, interval '400 days')
        LIMIT $2""",
    # Only the last hour of an address matters.
    "failure_mails": "SELECT ctid FROM failure_mails WHERE sent_at < now() - $1::interval LIMIT $2",
    # Only the last day of a reservation or an address matters.
    "mail_allowances": """
        SELECT ctid FROM mail_allowances WHERE latest < now() - greatest($1::interval, interval '2 days') LIMIT $2""",
    # Of groups and topics that are gone, or partitions without messages: a row is written with each batch.
    "in_hand": "SELECT ctid FROM in_hand WHERE taken_at < now() - $1::interval AND NOT suspect LIMIT $2",
    # With its e-mail address; offers go with it. Nobody ends those that still wait when all is over.
    "wishes": """
        SELECT w.ctid FROM wishes w JOIN events e ON e.id = w.event_id
        WHERE w.ended_at < now() - greatest($1::interval, interval '30 days')
           OR w.state = 'WAITING' AND now() - greatest($1::interval, interval '30 days')
              > coalesce(e.cancelled_at, e.starts_at, e.closes_at, w.joined_at + interval '400 days')
        LIMIT $2""",
    # A queue ticket is good for a day.
    "turns": "SELECT ctid FROM turns WHERE noted_at < now() - greatest($1::interval, interval '2 days') LIMIT $2",
    "removals": "SELECT ctid FROM removals WHERE until < now() - greatest($1::interval, interval '30 days') LIMIT $2",
    # Who did what is asked for long afterwards; what the system did by itself is much more, and of no interest by then.
    "audit": f"""
        SELECT ctid FROM audit
        WHERE at < now() - greatest($1::interval, CASE WHEN actor = '{SYSTEM}' THEN interval '30 days'
                                                       ELSE interval '400 days' END)
        LIMIT $2""",  # noqa: S608 - a constant
}


async def purge(database: databases.Database, *, days: float) -> dict[str, int]:
    """Deletes what is older than `days`; returns rows deleted by table. Raises StoreUnavailable."""
    deleted: dict[str, int] = {}
    for table, chosen in _STATEMENTS.items():
        values: list[object] = [timedelta(days=days), _CHUNK]
        if "$3" in chosen:
            values.append(timedelta(days=max(days, _DEAD_LETTER_DAYS)))
        total = 0
        while True:
            # A connection for each chunk: others may have theirs in between.
            async with raw(database) as connection:
                status = await connection.execute(
                    f"DELETE FROM {table} WHERE ctid = ANY(ARRAY({chosen}))",  # noqa: S608 - constants
                    *values,
                    timeout=BACKGROUND_SECONDS,
                )
            count = int(status.rpartition(" ")[2])
            total += count
            if count < _CHUNK:
                break
        deleted[table] = total
    return deleted
