"""R10: who may use which schema, and who changes one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from core.embedded import Engines
from core.errors import StartupError
from core.schema_postgres import (
    SchemaState,
    head,
    judged,
    later,
    migrate,
    require_schema,
    revisions,
    schema_of,
    until_migrated,
)
from tests.own_database import own_database
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
async def empty(stores: Engines) -> AsyncIterator[str]:
    async with own_database(stores.database_url, migrated=False) as url:
        yield url


async def _sql(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def test_the_migrations_are_those_of_alembic_in_its_order_and_each_says_who_can_work_with_it() -> None:
    config = Config()
    config.set_main_option("script_location", "core/migrations")
    scripts = list(reversed(list(ScriptDirectory.from_config(config).walk_revisions())))
    assert revisions() == tuple(script.revision for script in scripts)
    for place, script in enumerate(scripts):
        stated = getattr(script.module, "min_program", None)
        assert stated in revisions()[: place + 1], f"{script.path}: state `min_program`, see core/schema_postgres.py"


async def test_a_database_says_whom_it_needs(empty: str) -> None:
    assert (await schema_of(empty)).state is SchemaState.EMPTY
    await migrate(empty, revision="0014")
    assert (await schema_of(empty)).state is SchemaState.OLDER
    await migrate(empty)
    schema = await schema_of(empty)
    assert (schema.state, schema.revision) == (SchemaState.CURRENT, head())
    assert schema.needs in revisions()


def test_a_newer_schema_is_refused_only_above_what_it_needs() -> None:
    assert judged("9999", head()).state is SchemaState.NEWER
    assert judged("9999", "0003").state is SchemaState.NEWER
    assert judged("9999", "9998").state is SchemaState.TOO_NEW
    assert judged(revisions()[-2], "0003").state is SchemaState.OLDER
    assert later("0003", "0002") == "0003"
    assert later("0003", "9999") == "9999"


async def test_commands_set_up_what_is_empty_and_change_nothing_else(empty: str) -> None:
    with pytest.raises(StartupError, match="onsale migrate"):
        await require_schema(empty, writes=False)
    assert (await schema_of(empty)).state is SchemaState.EMPTY
    await migrate(empty, revision="0014")
    for writes in (True, False):
        with pytest.raises(StartupError, match="onsale migrate"):
            await require_schema(empty, writes=writes)
    assert (await schema_of(empty)).revision == "0014"
    await migrate(empty)
    await require_schema(empty, writes=False)
    await _sql(empty, "UPDATE alembic_version SET version_num = '9999'")
    await require_schema(empty)
    await migrate(empty)  # a newer one that this program can read: `serve` goes on
    assert (await schema_of(empty)).revision == "9999"
    await _sql(empty, "UPDATE schema_program SET min_program = '9998'")
    for refused in (migrate(empty), require_schema(empty), require_schema(empty, writes=False)):
        with pytest.raises(StartupError, match="newer release"):
            await refused


async def test_an_empty_database_is_set_up_by_a_command_that_writes(empty: str) -> None:
    await require_schema(empty)
    assert (await schema_of(empty)).state is SchemaState.CURRENT


async def test_a_worker_waits_for_the_schema(empty: str) -> None:
    said: list[str] = []
    waiting = asyncio.create_task(until_migrated(empty, said.append))
    try:
        async with asyncio.timeout(PATIENCE):
            while not said:
                await asyncio.sleep(0.05)
        assert not waiting.done()
        assert (await schema_of(empty)).state is SchemaState.EMPTY
        await migrate(empty)
        await asyncio.wait_for(waiting, PATIENCE)
    finally:
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
    assert ["onsale migrate" in line for line in said] == [True]


async def test_a_postgresql_without_a_connection_left_is_one_line(empty: str) -> None:
    """It was a traceback."""
    await _sql(empty, "CREATE ROLE crowd LOGIN CONNECTION LIMIT 0")
    try:
        with pytest.raises(StartupError, match="too many connections"):
            await migrate(empty.replace("postgres@", "crowd@"))
    finally:
        await _sql(empty, "DROP ROLE crowd")
