"""PostgreSQL's processes killed again and again under a crowd: a dying connection is a lost one, whatever it says, and
no call is ever answered 500 (R6)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from core.embedded import EmbeddedPostgres, Engines
from core.errors import StartupError
from core.runtime import Runtime, open_runtime
from core.schema_postgres import migrate
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from tests.booking import Bank, desk
from tests.conftest import small_plan
from tests.contract.api_client import Api, open_client
from tests.waits import PATIENCE
from web.app import create_app

BUYERS = 10
ORDER = {"email": "kim@example.org"}


class Crowd:
    """Calls of every kind, without a pause, and what they were answered."""

    def __init__(self, client: httpx.AsyncClient, document: dict[str, Any], event: Event) -> None:
        self.nobody = Api(client, document)
        self.base = f"/api/events/{event.slug}"
        self.slug = event.slug
        self.answers: Counter[int] = Counter()
        self.faults: list[str] = []

    async def _call(self, api: Api, method: str, path: str, **sent: Any) -> httpx.Response:
        sent.setdefault("headers", {}).update({"authorization": f"Bearer {api.token}"} if api.token else {})
        answer = await api.client.request(method, path, **sent)
        self.answers[answer.status_code] += 1
        if answer.status_code == 500:
            self.faults.append(f"{method} {path}: {answer.text[:200]}")
        return answer

    async def buy(self, turn: int) -> None:
        """One buyer after the other."""
        while True:
            buyer = await self.nobody.as_visitor()
            await self._call(buyer, "POST", f"{self.base}/queue", json={})
            for _ in range(3):
                seat = random.randrange(200)
                await self._call(buyer, "POST", f"{self.base}/holds", json={"seats": [seat]})
                made = await self._call(
                    buyer, "POST", f"{self.base}/reservations", json=ORDER, headers={"Idempotency-Key": f"k{turn}"}
                )
                await self._call(buyer, "GET", "/api/reservations")
                if made.status_code == 202:
                    await self._call(buyer, "POST", f"/api/reservations/{made.json()['id']}/cancel", json={})
            await self._call(buyer, "DELETE", f"{self.base}/queue")

    async def look(self) -> None:
        operator = self.nobody.as_operator()
        paths = (
            "/api/events",
            self.base,
            f"{self.base}/board",
            f"{self.base}/draw",
            "/",
            f"/events/{self.slug}",
            "/metrics",
            "/actuator/health",
        )
        while True:
            for path in paths:
                await self._call(operator, "GET", path)
            await self._call(
                operator,
                "POST",
                f"/api/operator/events/{self.slug}/limit",
                json={"active_limit": random.randint(50, 60)},
            )


class Killed:
    """A PostgreSQL of the test's own, and the ways to hurt it."""

    def __init__(self, server: EmbeddedPostgres, url: str) -> None:
        self.server = server
        self.url = url

    async def _backends(self, then: str) -> list[Any]:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    admin = await asyncpg.connect(self.url, timeout=5)
                    try:
                        return await admin.fetch(
                            f"SELECT {then} FROM pg_stat_activity WHERE application_name = 'onsale'"
                        )
                    finally:
                        admin.terminate()
                except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await asyncio.sleep(0.02)  # it recovers from the kill before

    async def terminate_all(self) -> None:
        await self._backends("pg_terminate_backend(pid)")

    async def terminate_one(self) -> None:
        await self._backends("CASE WHEN random() < 0.5 THEN pg_terminate_backend(pid) END")

    async def kill_a_backend(self) -> None:
        """SIGKILL: the server throws out everybody and recovers."""
        rows = await self._backends("pid")
        if rows:
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(rows)["pid"], signal.SIGKILL)

    async def kill_the_engine(self) -> None:
        pid = self.server.pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await asyncio.to_thread(self.server.start)
                except StartupError:
                    await asyncio.sleep(0.2)  # its children have not noticed yet that they are orphans
                else:
                    return


@pytest.fixture
async def killed(tmp_path: Path) -> AsyncIterator[Killed]:
    server = EmbeddedPostgres(tmp_path, durable=False)
    url = await asyncio.to_thread(server.start)
    try:
        await migrate(url)
        yield Killed(server, url)
    finally:
        await asyncio.to_thread(server.stop)


@pytest.mark.parametrize("kills", [25, pytest.param(100, marks=pytest.mark.chaos)])
async def test_no_call_is_answered_500_however_often_it_is_killed(
    kills: int, settings: Settings, stores: Engines, killed: Killed
) -> None:
    quick = settings.model_copy(update={"rate_limits": "off", "database_pool": 6})
    async with open_runtime(quick, Engines(killed.url, stores.redis_url)) as runtime:
        event = await _on_sale(runtime)
        counter = desk(runtime, Bank())
        runtime.checkout = counter.checkout
        await runtime.start_jobs()
        async with open_client(create_app(runtime, None)) as client:
            document = (await client.get("/openapi.json")).json()
            crowd = Crowd(client, document, event)
            tasks = [asyncio.create_task(crowd.buy(turn)) for turn in range(BUYERS)]
            tasks += [asyncio.create_task(crowd.look()) for _ in range(2)]
            try:
                ways = (killed.terminate_all, killed.terminate_one, killed.terminate_all, killed.kill_a_backend)
                for number in range(kills):
                    before = crowd.answers.total()
                    await (killed.kill_the_engine() if number % 20 == 19 else ways[number % 4]())
                    # Enough goes on in between for the next one to meet work under way.
                    async with asyncio.timeout(PATIENCE):
                        while crowd.answers.total() < before + 3 * len(tasks):
                            ended = [task for task in tasks if task.done()]
                            assert not ended, repr(ended[0].exception())
                            await asyncio.sleep(random.uniform(0, 0.01))
                    assert not crowd.faults, (number, crowd.faults[:3])
                # Every connection that died has been replaced, and orders go through.
                async with asyncio.timeout(PATIENCE):
                    while (await client.get("/api/events")).status_code != 200 or not crowd.answers[202]:
                        await asyncio.sleep(0.05)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await counter.supervisor.drain(10)
                await runtime.stop_jobs(10)
    assert crowd.answers[500] == 0, crowd.faults[:3]
    assert not crowd.faults
    assert crowd.answers[503] > 0, "the kills were met"


async def _on_sale(runtime: Runtime) -> Event:
    return await runtime.events.create(
        NewEvent(
            slug=f"k-{secrets.token_hex(5)}",
            name="Killed",
            prices={"Standard": 1000},
            status=SaleStatus.OPEN,
            active_limit=60,
        ),
        small_plan(200),
    )
