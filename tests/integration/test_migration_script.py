"""A migration's SQL goes to PostgreSQL as it is written, in one transaction with the migration's number."""

from __future__ import annotations

import asyncpg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from core.embedded import Engines
from core.migrations.script import run

FUNCTION = """
CREATE FUNCTION script_test_double(n integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    result integer;
BEGIN
    result := n * 2;
    RETURN result;
END;
$$;
CREATE TABLE script_test (n integer);
INSERT INTO script_test VALUES (script_test_double(21));
"""


async def migrated(url: str, *scripts: str) -> None:
    """One migration of these scripts."""
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)

    def upgrade(connection: Connection) -> None:
        with connection.begin(), Operations.context(MigrationContext.configure(connection)):
            for sql in scripts:
                run(sql)

    try:
        async with engine.connect() as connection:
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()


async def test_a_function_with_statements_of_its_own(stores: Engines) -> None:
    """It was cut at each semicolon that ends a line."""
    connection = await asyncpg.connect(stores.database_url)
    try:
        await migrated(stores.database_url, FUNCTION)
        assert await connection.fetchval("SELECT n FROM script_test") == 42
    finally:
        await connection.execute("DROP TABLE IF EXISTS script_test; DROP FUNCTION IF EXISTS script_test_double")
        await connection.close()


async def test_a_migration_that_fails_leaves_nothing(stores: Engines) -> None:
    """Also of a script that was done before the one that failed."""
    connection = await asyncpg.connect(stores.database_url)
    try:
        with pytest.raises(asyncpg.PostgresError):
            await migrated(
                stores.database_url, "CREATE TABLE script_half (n integer);", "INSERT INTO nowhere VALUES (1);"
            )
        assert await connection.fetchval("SELECT to_regclass('script_half')") is None
    finally:
        await connection.execute("DROP TABLE IF EXISTS script_half")
        await connection.close()
