"""PostgreSQL: opening the pool, and the raw connection of the hot paths.

Everything goes through `databases`; hot paths take its `raw_connection` (asyncpg), which was measured at twice the
statements a second.

Nobody waits long for a PostgreSQL that hangs, is full or is slow: `ANSWER_SECONDS` for a statement, `POOL_SECONDS` for
a connection. Statements of background work that may take longer pass `timeout=BACKGROUND_SECONDS` themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import weakref
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import databases
import orjson
import structlog

from core.errors import InvalidRequest, OnsaleError, OutcomeUnknown, StartupError, StoreUnavailable
from core.process.line import Line
from core.process.waits import AnswerTimeout, answered_at_start

log = structlog.get_logger(__name__)

#: A statement that is not answered after this long is cancelled, and its caller told.
ANSWER_SECONDS = 2.0
#: What a statement that nobody waits for may take: comparing, sending, deleting in pages.
BACKGROUND_SECONDS = 15.0
#: A statement waits so long for a lock, then it was not carried out: ours hold theirs for milliseconds. Longer than
#: PostgreSQL takes to find that some wait in a circle (1 s), shorter than an answer may.
LOCK_SECONDS = 1.5
#: For a connection, when PostgreSQL keeps us waiting; the longest when it is this process that has no time.
POOL_SECONDS = 3.0
_POOL_SECONDS_LONGEST = 15.0
# The same for who has not come yet, and would wait in vain.
_LINE_SECONDS, _LINE_SECONDS_LONGEST = POOL_SECONDS, _POOL_SECONDS_LONGEST
# How long PostgreSQL has to agree that a statement is cancelled. One that hangs does not: the connection is given up.
_CANCEL_SECONDS = 0.5
_DISCONNECT_SECONDS = 5.0

#: What a lost, refused or overloaded PostgreSQL looks like from asyncpg.
LOST = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # A connection that dies while a statement is being sent leaves the driver's own state torn ("cannot switch to state
    # 12; another operation (2) is in progress").
    asyncpg.InternalClientError,
    # Classes 53 (out of connections, memory, disk) and 57 (shut down, starting, cancelled because it took too long).
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    # A failover has left this connection with what is now a replica.
    asyncpg.ReadOnlySQLTransactionError,
    # Somebody has had a lock for longer than `LOCK_SECONDS`.
    asyncpg.LockNotAvailableError,
)


#: Of `LOST`, what PostgreSQL says itself: the statement was not carried out. Else only the answer is known to be lost.
_REFUSED = (
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
)


#: What PostgreSQL itself, not the driver, says of a value that no column can have.
_SAID_OF_A_VALUE = (
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.UntranslatableCharacterError,
    asyncpg.NumericValueOutOfRangeError,
)


_LINES: weakref.WeakKeyDictionary[databases.Database, Line] = weakref.WeakKeyDictionary()


def first_line(error: BaseException) -> str:
    """What an error says, for one line."""
    return (str(error) or type(error).__name__).splitlines()[0]


# A plan that was made while a table was small is kept until PostgreSQL has looked at the table again: by then a sale
# has written ten thousand rows, through which each purchase would walk. Who looks for a few rows has an index. Up to
# PostgreSQL 17 a walk that cannot be avoided is planned at a cost of 1e10 for being forbidden: with llvmjit there, the
# server would compile each such statement of a few rows, for tens of milliseconds.
_SESSION: Final = (
    f"SET lock_timeout = {LOCK_SECONDS * 1000:.0f}; SET plan_cache_mode = force_generic_plan;"
    " SET enable_seqscan = off; SET jit = off"
)


#: So long a connection's plans are kept.
_PLANNED_SECONDS: Final = 10.0
_MOST_REMEMBERED: Final = 256
#: Of each pool: when the plans of which server process were begun anew.
_PLANNED: Final[weakref.WeakKeyDictionary[databases.Database, dict[int, float]]] = weakref.WeakKeyDictionary()


async def _prepare(connection: Any) -> None:
    await connection.execute(_SESSION)
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
        )


async def _plan_again(database: databases.Database, connection: asyncpg.Connection) -> None:
    """Plans that are older than `_PLANNED_SECONDS` are made anew, by the size that the tables have now: PostgreSQL
    keeps them until it has analysed a table once more, and in a minute of a rush one of thirty rows has thousands.
    """
    planned = _PLANNED.setdefault(database, {})
    process, now = connection.get_server_pid(), time.monotonic()
    if len(planned) > _MOST_REMEMBERED:  # of connections that are gone
        planned.clear()
    if now - planned.setdefault(process, now) > _PLANNED_SECONDS:
        planned[process] = now
        await connection.execute("DISCARD PLANS")


@contextlib.asynccontextmanager
async def planned_anew(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """For statements whose arguments decide what is the best way to their rows, which may be all: a plan for each run.

    All others are planned once a connection, and again after `_PLANNED_SECONDS`. PostgreSQL by itself plans the first
    five runs of each anew, and goes on with that where it takes planning for cheap: at the opening of a sale, on
    connections that are new, that was as much as all that the statements of a purchase do.
    """
    async with connection.transaction():
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = on")
        yield


#: Server processes whose last statement failed, or was left, and perhaps was not carried further than its preparation.
_LEFT: Final[set[int]] = set()


def _leaves(connection: Any, error: BaseException) -> None:
    # A refusal that nothing caused is raised after an answer was read.
    if isinstance(error, OnsaleError) and error.__context__ is None:
        return
    if len(_LEFT) > _MOST_REMEMBERED:  # of connections that are gone
        _LEFT.clear()
    with contextlib.suppress(asyncpg.InterfaceError):  # the pool has taken it back
        _LEFT.add(connection.get_server_pid())


async def _end_what_was_prepared(connection: Any) -> None:
    """asyncpg rolls an open transaction back by itself. But it prepares a statement without ending PostgreSQL's own
    transaction, which the run is to do: a value that the driver cannot send leaves it open, with its snapshot and its
    locks, and the next user's transaction cannot choose its isolation. Nothing else is left behind in a session.

    asyncpg's own reset is one more statement after each use of a connection: measured, half of what a small one costs.
    """
    process = connection.get_server_pid()
    if process in _LEFT:
        _LEFT.discard(process)
        await connection.execute("SELECT")  # asyncpg cannot read the answer to nothing


class _OneLine(logging.Filter):
    """asyncpg tells of each try to reach a lost PostgreSQL with a trace: for an operator, one line says as much."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], LOST):
            record.msg, record.args = "PostgreSQL cannot be reached: %s", (first_line(record.exc_info[1]),)
            record.exc_info = None
        return True


logging.getLogger("asyncpg.pool").addFilter(_OneLine())


async def open_database(database_url: str, pool: int, *, must_answer: bool = True) -> databases.Database:
    """A connected pool. jsonb columns are Python values on both sides. To be closed with `close_database`.

    Raises StartupError, also when PostgreSQL does not answer `START_TRIES` times, unless it need not: then whoever uses
    it will see.
    """
    database = databases.Database(
        database_url,
        min_size=min(2, pool) if must_answer else 0,
        max_size=pool,
        command_timeout=ANSWER_SECONDS,
        timeout=ANSWER_SECONDS,
        init=_prepare,
        reset=_end_what_was_prepared,
        server_settings={"application_name": "onsale"},
    )
    try:
        await answered_at_start(database.connect, TimeoutError)
    except (*LOST, asyncpg.PostgresError, ValueError) as error:
        raise StartupError(f"PostgreSQL cannot be reached: {first_line(error)}: check DATABASE_URL") from None
    return database


async def close_database(database: databases.Database) -> None:
    """Politely, but a PostgreSQL that hangs does not keep a process from ending."""
    with contextlib.suppress(*LOST):
        async with asyncio.timeout(_DISCONNECT_SECONDS):
            await database.disconnect()


@contextlib.asynccontextmanager
async def raw(database: databases.Database, *, writes: bool = False) -> AsyncIterator[asyncpg.Connection]:
    """asyncpg's connection of this task; a lost, hanging, full or read-only PostgreSQL is `StoreUnavailable`, a value
    that no column can have InvalidRequest.

    `writes`: what is done with it changes something that a caller is told of. When its answer is lost that is
    OutcomeUnknown (R5).
    """
    connected = begun = died = False
    giving_up: asyncio.TimerHandle | None = None
    held = database.connection()
    line = line_of(database)
    try:
        line.join()
        try:
            async with AnswerTimeout(POOL_SECONDS, _POOL_SECONDS_LONGEST):
                await held.__aenter__()
            connected = True
        finally:
            line.leave(int(connected), int(not connected))
        try:
            await _plan_again(database, held.raw_connection)
            begun = True
            try:
                yield held.raw_connection
            except BaseException as error:
                _leaves(held.raw_connection, error)
                raise
        except OnsaleError:
            raise
        except (TimeoutError, asyncio.CancelledError):
            # On its way back into the pool it waits for PostgreSQL to agree.
            giving_up = asyncio.get_running_loop().call_later(_CANCEL_SECONDS, _give_up, held.raw_connection)
            raise
        except Exception:
            # Whatever a dying connection says (a torn state, an attribute of nothing), it is a lost one.
            died = _is_closed(held.raw_connection)
            raise
        finally:
            try:
                await held.__aexit__()
            except BaseException:
                # Cancelled again on that way, which it goes without us: the library would never let this task have
                # another one.
                database._connection = None
                raise
            if giving_up is not None:
                giving_up.cancel()
    except asyncpg.ReadOnlySQLTransactionError as error:
        # Who answers has become a replica, or is one until it is promoted. All connections are made anew, so that the
        # primary is found as soon as it is at our address.
        await _expire(database)
        raise StoreUnavailable(retry_after=2) from error
    except Exception as error:
        if _is_odd_value(error):
            if isinstance(error, _SAID_OF_A_VALUE):
                # Mostly a caller's, but it may be a sum of ours that overflows.
                log.warning("PostgreSQL refuses a value", error=first_line(error))
            raise InvalidRequest("A value cannot be kept: a number is too large, or a text is none") from error
        if isinstance(error, OnsaleError) or not (died or isinstance(error, LOST)):
            raise
        if isinstance(error, asyncpg.InternalClientError):
            log.warning("PostgreSQL connection lost", error=first_line(error))
        if writes and begun and not isinstance(error, _REFUSED):
            raise OutcomeUnknown(retry_after=2) from error
        raise StoreUnavailable(retry_after=2) from error


def _is_odd_value(error: Exception) -> bool:
    """A number beyond its column's, half a character, U+0000: mostly seen by the driver, before anything is sent."""
    if isinstance(error, _SAID_OF_A_VALUE):
        return True
    return isinstance(error, asyncpg.DataError) and isinstance(error.__cause__, (OverflowError, UnicodeError))


def line_of(database: databases.Database) -> Line:
    """The line for a connection of this pool."""
    line = _LINES.get(database)
    if line is None:
        line = _LINES[database] = Line("postgresql", most=_LINE_SECONDS, most_busy=_LINE_SECONDS_LONGEST)
    return line


def _is_closed(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # the pool has taken it back
        return True


def _give_up(connection: Any) -> None:
    # Says so when it is back in the pool by now.
    with contextlib.suppress(asyncpg.InterfaceError):
        connection.terminate()


def pool_of(database: databases.Database) -> asyncpg.Pool | None:
    """asyncpg's pool, which `databases` does not show; None before it is connected and after it is not."""
    pool: asyncpg.Pool | None = getattr(database._backend, "_pool", None)
    return pool


async def _expire(database: databases.Database) -> None:
    pool = pool_of(database)
    if pool is not None:
        await pool.expire_connections()
