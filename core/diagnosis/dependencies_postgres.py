"""PostgreSQL: does it answer, does it take writes, has it connections and room left, is its schema ours?"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import databases

from core.database import first_line, raw
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.errors import StoreUnavailable
from core.schema_postgres import SchemaState, read_schema
from core.sentences import said

_FULL = 0.8
#: Who waits for a lock for so long is kept from something: checkout's statements take milliseconds.
_BLOCKED_SECONDS = 5.0

_STANDING = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
       current_setting('max_connections')::int AS most, pg_is_in_recovery() AS replica,
       current_setting('default_transaction_read_only')::boolean AS read_only
"""
# Who blocks somebody and is not blocked: the head of each queue.
_BLOCKING = """
WITH waiting AS (
    SELECT pid, unnest(pg_blocking_pids(pid)) AS blocker, extract(epoch FROM now() - query_start)::float AS seconds
    FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query_start < now() - make_interval(secs => $1)
      AND datname = current_database()
)
SELECT a.pid, a.application_name, a.state, max(w.seconds) AS seconds, count(*) AS waiting,
       extract(epoch FROM now() - a.state_change)::float AS since
FROM waiting w JOIN pg_stat_activity a ON a.pid = w.blocker
WHERE w.blocker NOT IN (SELECT pid FROM waiting)
GROUP BY a.pid, a.application_name, a.state, a.state_change ORDER BY count(*) DESC LIMIT 3
"""


async def postgres(database: databases.Database) -> AsyncIterator[Finding]:
    """Nothing is written, but for a temporary table of one row that is rolled back: it meets a full disk."""
    began = time.monotonic()
    try:
        async with raw(database) as connection:
            row = await connection.fetchrow(_STANDING)
            milliseconds = (time.monotonic() - began) * 1000
            assert row is not None  # noqa: S101 - it has no FROM
            blocking = await connection.fetch(_BLOCKING, _BLOCKED_SECONDS)
            writes = None if row["replica"] or row["read_only"] else await _writes(connection)
    except (StoreUnavailable, asyncpg.PostgresError) as error:
        yield _away(error.__cause__ or error)
        return
    standing = said("postgres.standing", milliseconds=round(milliseconds), used=row["used"], most=row["most"])
    if row["replica"]:
        yield fail("postgresql", Cause.POSTGRES_READ_ONLY, said("postgres.replica", standing=standing))
    elif row["read_only"]:
        yield fail("postgresql", Cause.POSTGRES_READ_ONLY, said("postgres.read_only", standing=standing))
    elif writes is not None:
        yield fail("postgresql", Cause.DISK_FULL, said("postgres.cannot_write", standing=standing, why=writes))
    elif row["used"] > row["most"] * _FULL:
        yield warn("postgresql", Cause.POSTGRES_FULL, standing)
    else:
        yield passed("postgresql", standing)
    for one in blocking:
        yield fail(
            "postgresql locks",
            Cause.POSTGRES_BLOCKED,
            said(
                "postgres.blocking",
                pid=str(one["pid"]),
                program=one["application_name"] or said("postgres.unnamed"),
                state=str(one["state"]),
                since=round(one["since"]),
                waiting=one["waiting"],
                seconds=round(one["seconds"]),
            ),
        )


async def schema(database: databases.Database) -> AsyncIterator[Finding]:
    """Passes where this program can read what is there."""
    try:
        async with raw(database) as connection:
            found = await read_schema(connection)
    except asyncpg.PostgresError as error:
        yield _away(error)
        return
    if found.usable:
        yield passed("schema", found.told())
    else:
        cause = Cause.SCHEMA_TOO_NEW if found.state is SchemaState.TOO_NEW else Cause.SCHEMA_OLDER
        yield fail("schema", cause, found.told())


def _away(error: BaseException) -> Finding:
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return fail("postgresql", Cause.POSTGRES_EXHAUSTED, said("postgres.no_connection", why=first_line(error)))
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return fail("postgresql", Cause.POSTGRES_READ_ONLY, said("postgres.no_writes"))
    if isinstance(error, (asyncpg.DiskFullError, asyncpg.OutOfMemoryError)):
        return fail("postgresql", Cause.DISK_FULL, said("postgres.cannot_work", why=first_line(error)))
    silent = isinstance(error, TimeoutError)
    told = said("store.silent") if silent else said("store.away", why=first_line(error))
    return fail("postgresql", Cause.POSTGRES_AWAY, told)


async def _writes(connection: Any) -> str | None:
    """What keeps it from writing; None: nothing does."""
    undo = connection.transaction()
    await undo.start()
    try:
        await connection.execute("CREATE TEMP TABLE onsale_diagnose ON COMMIT DROP AS SELECT repeat('x', 4000) AS page")
    except (asyncpg.DiskFullError, asyncpg.PostgresIOError) as error:
        return first_line(error)
    except asyncpg.InsufficientPrivilegeError:
        return None  # a role that may not make temporary tables may sell seats nevertheless
    finally:
        await undo.rollback()
    return None
