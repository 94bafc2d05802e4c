"""PostgreSQL: opening the pool, migrating, and the raw connection of the hot paths.

Everything goes through `databases`; hot paths take its `raw_connection` (asyncpg), which was measured at twice the
statements a second (DESIGN.md section 7).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import databases
import orjson
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from core.errors import StartupError, StoreUnavailable

# One number for the whole product: processes that start at the same time migrate one after the other.
_MIGRATION_LOCK = 7_310_001

#: What a lost, refused or overloaded PostgreSQL looks like from asyncpg.
LOST = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # Classes 53 (out of connections, memory, disk) and 57 (shut down, starting, cancelled because it took too long).
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    # A failover has left this connection with what is now a replica.
    asyncpg.ReadOnlySQLTransactionError,
)


async def migrate(database_url: str) -> None:
    """Brings the schema up to date. Safe to call from several processes at once."""
    url = _parsed(database_url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": 10})

    def upgrade(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        connection.commit()
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _MIGRATION_LOCK})
            connection.commit()

    try:
        async with engine.connect() as connection:
            await connection.run_sync(upgrade)
    except (*LOST, asyncpg.PostgresError) as error:
        shown = url.render_as_string(hide_password=True).replace("+asyncpg", "")
        raise StartupError(f"PostgreSQL at {shown} cannot be used: {_first_line(error)}: check DATABASE_URL") from None
    finally:
        await engine.dispose()


def _parsed(database_url: str) -> URL:
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError):
        # The text is not repeated: it may well hold a password.
        raise StartupError("DATABASE_URL is not an address such as postgresql://user:password@host:5432/name") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise StartupError(f"DATABASE_URL names {url.drivername}: only postgresql:// is served")
    return url


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


async def _prepare(connection: Any) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
        )


async def _nothing_to_reset(connection: Any) -> None:
    """asyncpg rolls an open transaction back by itself; no code here leaves anything else behind in a session.

    Its own reset is one more statement after each use of a connection: measured, half of what a small one costs.
    """


async def open_database(database_url: str, pool: int) -> databases.Database:
    """A connected pool. jsonb columns are Python values on both sides."""
    database = databases.Database(
        database_url, min_size=min(2, pool), max_size=pool, command_timeout=15, timeout=5, init=_prepare,
        reset=_nothing_to_reset, server_settings={"application_name": "onsale"},
    )  # fmt: skip
    try:
        await database.connect()
    except (*LOST, asyncpg.PostgresError) as error:
        raise StartupError(f"PostgreSQL cannot be reached: {_first_line(error)}: check DATABASE_URL") from None
    return database


@contextlib.asynccontextmanager
async def raw(database: databases.Database) -> AsyncIterator[asyncpg.Connection]:
    """asyncpg's connection of this task; a lost PostgreSQL is `StoreUnavailable`."""
    try:
        async with database.connection() as connection:
            yield connection.raw_connection
    except LOST as error:
        raise StoreUnavailable(retry_after=2) from error
