"""Real engines for every test: one embedded PostgreSQL and Valkey a test run, an event of its own a test."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.database import migrate
from core.embedded import Engines, engines
from core.settings import Settings


@pytest.fixture(scope="session")
def data_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="onsale-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def started_engines(data_folder: Path) -> Iterator[Engines]:
    """PostgreSQL and Valkey, real but not waiting for the disk."""
    with engines(Settings.load(data=data_folder), durable=False) as started:
        yield started


@pytest.fixture(scope="session")
async def stores(started_engines: Engines) -> AsyncIterator[Engines]:
    """The engines with the schema up to date."""
    await migrate(started_engines.database_url)
    yield started_engines


@pytest.fixture(scope="session")
def settings(stores: Engines, data_folder: Path) -> Settings:
    """Settings that point at the test engines; `settings.model_copy(update={...})` for a test of its own."""
    return Settings.load(
        data=data_folder, database_url=stores.database_url, redis_url=stores.redis_url,
        secret_key="test-secret", operator_token="operator",
    )  # fmt: skip
