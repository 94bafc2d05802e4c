"""A database of a test module's own on the test server: nobody else's relay takes its outbox rows."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import asyncpg
from redis.asyncio import Redis
from sqlalchemy.engine import make_url

from core.embedded import Engines
from core.schema_postgres import migrate

#: A migrated database on each test server, made when it is first asked for: copies are far cheaper than migrating.
_TEMPLATE = "onsale_migrated"


@asynccontextmanager
async def own_database(url: str, *, migrated: bool = True) -> AsyncIterator[str]:
    """The URL of a new database, which is dropped afterwards; empty where it is not `migrated`."""
    mine = await _created(url, migrated)
    yield mine
    await _dropped(mine)


@contextmanager
def own_database_here(url: str) -> Iterator[str]:
    """The same, migrated, for who has no loop, or one that must not be used here."""
    with ThreadPoolExecutor(1) as beside:
        mine = beside.submit(asyncio.run, _created(url, True)).result()
        yield mine
        beside.submit(asyncio.run, _dropped(mine)).result()


@asynccontextmanager
async def copy_of(template: str) -> AsyncIterator[str]:
    """The URL of a copy of the database `template`, to which nobody may be connected."""
    async with _admin(template) as admin:
        mine = await _new(admin, template, template=str(make_url(template).database))
    yield mine
    await _dropped(mine)


async def _created(url: str, migrated: bool) -> str:
    async with _admin(url) as admin:
        if not migrated:
            return await _new(admin, url)
        if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", _TEMPLATE):
            first = await _new(admin, url)
            await migrate(first)
            await admin.execute(f"ALTER DATABASE {make_url(first).database} RENAME TO {_TEMPLATE}")
        return await _new(admin, url, template=_TEMPLATE)


async def _new(admin: asyncpg.Connection, url: str, *, template: str = "template1") -> str:
    name = f"test_{secrets.token_hex(4)}"
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return _named(url, name)


async def _dropped(url: str) -> None:
    async with _admin(url) as admin:
        await admin.execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")


@asynccontextmanager
async def _admin(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(_named(url, "postgres"))
    try:
        yield connection
    finally:
        await connection.close()


def _named(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


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
