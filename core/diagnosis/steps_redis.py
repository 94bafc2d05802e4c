"""Runs one step of the walk: it ends in time, and whatever a store does is a finding, never an exception."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import asyncpg
import structlog
from redis.exceptions import ResponseError

from core.database import first_line
from core.diagnosis.finding import Cause, Finding, fail
from core.errors import StoreUnavailable
from core.process.store_redis import REDIS_LOST
from core.process.tasks import within
from core.process.waits import AnswerTimeout
from core.sentences import said

log = structlog.get_logger(__name__)

#: A store that has not answered after this long is away for us, in seconds.
PATIENCE_SECONDS: Final = 3.0
_LONGEST: Final = 4
#: Refusals of Redis that speak of its own state, not of a key (RESP: the first word).
_OF_ITS_STATE: Final = ("OOM", "READONLY", "MISCONF", "LOADING", "BUSY", "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS")


async def step(
    name: str, steps: AsyncIterator[Finding], *, away: Cause, patience: float = PATIENCE_SECONDS
) -> list[Finding]:
    """What it found until then. `away`: what a step that takes longer than `patience` seconds means."""
    found: list[Finding] = []

    async def collect() -> None:
        # More while it is this process that has no time, on a machine that is busy.
        async with AnswerTimeout(patience, _LONGEST * patience):
            async for finding in steps:
                found.append(finding)

    try:
        # Also where a library swallows the cancel.
        await within((_LONGEST + 1) * patience, f"diagnose {name}", collect())
    except TimeoutError:
        found.append(fail(name, away, said("step.late", seconds=f"{patience:g}")))
    except StoreUnavailable as error:
        found.append(_lost(name, error.__cause__ or error, away))
    except (*REDIS_LOST, asyncpg.PostgresError) as error:
        found.append(_lost(name, error, away))
    except Exception as error:
        log.exception("a step of the diagnosis failed", step=name)
        told = said("step.unreadable", error=type(error).__name__, why=first_line(error))
        found.append(fail(name, Cause.KEY_DAMAGED, told))
    return found


def _lost(name: str, error: BaseException, away: Cause) -> Finding:
    if isinstance(error, ResponseError) and not str(error).startswith(_OF_ITS_STATE):
        return fail(name, Cause.KEY_DAMAGED, said("step.key", why=first_line(error)))
    if isinstance(error, asyncpg.LockNotAvailableError):
        # It answers. Whose session it is was said by the step that looks at PostgreSQL.
        return fail(name, Cause.POSTGRES_BLOCKED, said("step.lock", why=first_line(error)))
    if isinstance(error, asyncpg.DiskFullError):
        return fail(name, Cause.DISK_FULL, said("step.full", why=first_line(error)))
    if isinstance(error, (asyncpg.PostgresError, asyncpg.InterfaceError)):
        away = Cause.POSTGRES_AWAY
    elif isinstance(error, REDIS_LOST[:2]):
        away = Cause.REDIS_AWAY
    return fail(name, away, said("step.gone", error=type(error).__name__, why=first_line(error)))
