"""A database of a test module's own on the test server: nobody else's relay takes its outbox rows."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from redis.asyncio import Redis
from sqlalchemy.engine import make_url

from core.embedded import Engines
from core.schema_postgres import migrate


@asynccontextmanager
async def own_database(url: str, *, migrated: bool = True) -> AsyncIterator[str]:
    """The URL of a new database, which is dropped afterwards; empty where it is not `migrated`."""
    name = f"test_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(url)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        mine = make_url(url).set(database=name).render_as_string(hide_password=False)
        if migrated:
            await migrate(mine)
        yield mine
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@asynccontextmanager
async def copy_of(template: str) -> AsyncIterator[str]:
    """The URL of a copy of the database `template`, to which nobody may be connected; far cheaper than migrating."""
    address, name = make_url(template), f"test_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(address.set(database="postgres").render_as_string(hide_password=False))
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {address.database}")
        yield address.set(database=name).render_as_string(hide_password=False)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


async def emptied(stores: Engines) -> None:
    """Leaves the tables and nothing in them, and nothing in Redis."""
    connection = await asyncpg.connect(stores.database_url, server_settings={"lock_timeout": "60s"})
    try:
        rows = await connection.fetch("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
        if tables := [name for (name,) in rows if name != "alembic_version"]:  # else the schema is still to be made
            await connection.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
    finally:
        await connection.close()
    async with Redis.from_url(stores.redis_url) as redis:
        await redis.flushall()
