"""A process starts while its stores are late, as where a whole machine starts at once; one that is silent is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from core import database
from core.database import close_database, open_database
from core.embedded import Engines
from core.errors import StartupError
from core.process import store_redis, waits
from core.process.store_redis import open_redis
from tests.contract.store_proxy import StoreProxy, behind_proxies
from tests.waits import PATIENCE, until


@dataclass
class Store:
    """One of the two, behind its proxy."""

    proxy: StoreProxy
    opened: Callable[[], Awaitable[None]]
    setting: str


@pytest.fixture(params=["postgresql", "redis"])
async def store(
    request: pytest.FixtureRequest, stores: Engines, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    """Given up after a tenth of a second, so that the tests are quick."""
    for module in (database, store_redis):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 0.1)
    async with behind_proxies(stores) as (engines, postgres, redis):

        async def open_postgres() -> None:
            await close_database(await open_database(engines.database_url, 2))

        async def open_valkey() -> None:
            await (await open_redis(engines.redis_url, 2)).aclose()

        ways = {
            "postgresql": Store(postgres, open_postgres, "DATABASE_URL"),
            "redis": Store(redis, open_valkey, "REDIS_URL"),
        }
        yield ways[request.param]


def tries(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(waits, "START_TRIES", most)


async def test_a_store_that_is_late_at_the_start_is_asked_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tries(monkeypatch, 1_000_000)
    store.proxy.hang()
    async with asyncio.timeout(PATIENCE):
        starting = asyncio.ensure_future(store.opened())
        await until(lambda: store.proxy.connections > 2 or starting.done(), "it asks again")
        await store.proxy.restore()
        await starting


async def test_one_that_never_answers_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tries(monkeypatch, 2)
    store.proxy.hang()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(StartupError, match=store.setting):
            await store.opened()


async def test_one_that_refuses_is_told_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tries(monkeypatch, 1_000_000)
    await store.proxy.cut()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(StartupError, match=store.setting):
            await store.opened()
