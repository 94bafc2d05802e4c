"""PostgreSQL: does it answer, and has it connections left?"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import databases

from core.database import raw
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.errors import StoreUnavailable

_FULL = 0.8


async def postgres(database: databases.Database) -> AsyncIterator[Finding]:
    began = time.monotonic()
    try:
        async with raw(database) as connection:
            used = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
            )
            most = int(await connection.fetchval("SHOW max_connections"))
    except StoreUnavailable as error:
        yield fail("postgresql", Cause.POSTGRES_AWAY, f"does not answer: {type(error.__cause__).__name__}")
        return
    milliseconds = (time.monotonic() - began) * 1000
    detail = f"answers in {milliseconds:.0f} ms, {used} of {most} connections"
    yield warn("postgresql", Cause.POSTGRES_FULL, detail) if used > most * _FULL else passed("postgresql", detail)
