"""Stores that are waited for as long as a test is.

The product refuses a buyer whom a store keeps waiting for two seconds. Of a crowd, or of thousands of steps, one would
meet a moment in which a busy machine's store is later than that, which says nothing about what a test looks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final
from unittest import mock

from core import database
from core.payments import breaker_redis
from core.process import lua_redis, store_redis
from core.process.lua_redis import ScriptRunner
from tests.waits import PATIENCE

_WAITS: Final[tuple[tuple[object, str, float], ...]] = (
    (database, "ANSWER_SECONDS", PATIENCE),
    (database, "POOL_SECONDS", PATIENCE),
    (database, "_POOL_SECONDS_LONGEST", PATIENCE),
    (database, "_LINE_SECONDS", PATIENCE),
    (database, "_LINE_SECONDS_LONGEST", PATIENCE),
    (store_redis, "ANSWER_SECONDS", PATIENCE),
    (store_redis, "_CONNECT_SECONDS", PATIENCE),
    (store_redis, "_POOL_SECONDS", PATIENCE),
    (lua_redis, "ANSWER_SECONDS", PATIENCE),
    (lua_redis, "_LINE_SECONDS", PATIENCE),
    (breaker_redis, "_PATIENCE_SECONDS", PATIENCE),
    # Waiting and the answer together: what has waited for the difference is refused before it is sent.
    (ScriptRunner, "LONGEST", 2 * PATIENCE),
    (ScriptRunner, "LONGEST_BUSY", 2 * PATIENCE),
)


@contextmanager
def patient_stores() -> Iterator[None]:
    """For what is opened meanwhile; PostgreSQL's locks are waited for as well. Within another one nothing changes."""
    if database.ANSWER_SECONDS == PATIENCE:
        yield
        return
    settled = database._SESSION.replace(f"{database.LOCK_SECONDS * 1000:.0f}", f"{PATIENCE * 1000:.0f}")
    assert settled != database._SESSION
    with ExitStack() as stack:
        for owner, name, seconds in _WAITS:
            stack.enter_context(mock.patch.object(owner, name, seconds))
        stack.enter_context(mock.patch.object(database, "_SESSION", settled))
        yield
