"""More calls than a store can serve: who would wait in vain is refused at once, nobody else is (R8).

The store is held back by a proxy, and nothing that waits for it has an end meanwhile: what is answered was answered
without it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from core import database
from core.embedded import Engines
from core.process import lua_redis, store_redis
from core.process.lua_redis import ScriptRunner
from core.process.tasks import awaited
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from tests.conftest import small_plan
from tests.contract.api_client import Api, open_client
from tests.contract.store_proxy import StoreProxy, behind_proxies
from tests.waits import until
from web.app import create_app

NO_END = 100_000.0
CROWD = 200

Call = asyncio.Task[httpx.Response]


@dataclass
class Served:
    """An application, a sale, and the proxies of its stores."""

    runtime: Runtime
    event: Event
    nobody: Api
    postgres: StoreProxy
    redis: StoreProxy
    calls: list[Call] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"/api/events/{self.event.slug}"

    async def buyer(self) -> Api:
        """Somebody who is in."""
        api = await self.nobody.as_visitor()
        await self.runtime.waiting_room.join(self.event, api.visitor)
        return api

    def begin(self, made: Coroutine[Any, Any, httpx.Response]) -> Call:
        call = awaited("call", made)
        self.calls.append(call)
        return call

    async def flooded(self, make: Callable[[], Coroutine[Any, Any, httpx.Response]]) -> list[Call]:
        """Calls come in until the first of them is answered, although the store is held back; all of them."""
        calls = [self.begin(make()) for _ in range(CROWD)]

        def answered() -> bool:
            calls.append(self.begin(make()))
            return any(call.done() for call in calls)

        await until(answered, "a call is refused while the store is held back")
        return calls

    async def ended(self) -> list[int]:
        """The statuses of all calls, once the stores go on."""
        await self.postgres.restore()
        await self.redis.restore()
        return [answer.status_code for answer in await asyncio.gather(*self.calls)]


@pytest.fixture
async def served(settings: Settings, stores: Engines, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """What is under way has no end; how long the line may be is as ever."""
    for module in (lua_redis, store_redis, database):
        monkeypatch.setattr(module, "ANSWER_SECONDS", NO_END)
    monkeypatch.setattr(ScriptRunner, "LONGEST", 2 * NO_END)
    monkeypatch.setattr(database, "POOL_SECONDS", NO_END)
    narrow = settings.model_copy(update={"database_pool": 2, "calls_per_minute": 1_000_000})
    async with behind_proxies(stores) as (proxied, postgres, redis), open_runtime(narrow, proxied) as runtime:
        new = NewEvent(slug=f"o-{secrets.token_hex(4)}", name="Flood", prices={"Standard": 100}, status=SaleStatus.OPEN)
        event = await runtime.events.create(new, small_plan())
        async with open_client(create_app(runtime, None)) as client:
            document: dict[str, Any] = (await client.get("/openapi.json")).json()
            opened = Served(runtime, event, Api(client, document), postgres, redis)
            yield opened
            await opened.ended()


async def test_a_redis_that_does_not_keep_up_refuses_holds_before_they_wait(served: Served) -> None:
    """And neither a beat, nor who lets go or leaves. Afterwards all that waited was done, and the sale goes on."""
    buyers = [await served.buyer() for _ in range(3)]
    for seat, buyer in enumerate(buyers):
        await buyer.call("POST", f"{served.base}/holds", json={"seats": [seat]}, expect=201)
    crowd = await served.buyer()
    served.redis.hang()
    holds = await served.flooded(lambda: crowd.call("POST", f"{served.base}/holds", json={"seats": [9]}))
    refused = [call for call in holds if call.done()]
    for call in refused:
        answer = call.result()
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
        assert 2 <= int(answer.headers["retry-after"]) <= 10
    assert len(refused) < len(holds), "nothing that stood in line was sent away"
    spared = [
        served.begin(buyers[0].call("POST", f"{served.base}/heartbeat")),
        served.begin(buyers[1].call("DELETE", f"{served.base}/holds")),
        served.begin(buyers[2].call("DELETE", f"{served.base}/queue")),
    ]
    late = served.begin(crowd.call("POST", f"{served.base}/holds", json={"seats": [8]}))
    await until(late.done, "the next hold is refused as well")
    assert late.result().status_code == 503
    assert not any(call.done() for call in spared), "they wait for the store, as ever"
    assert served.runtime.vitals.read().crowded["redis"] >= 2

    await served.ended()
    assert [call.result().status_code for call in spared] == [200, 204, 204]
    assert {call.result().status_code for call in holds} == {201, 503}
    await crowd.call("POST", f"{served.base}/holds", json={"seats": [8]}, expect=201)
    states = (await served.runtime.seats.board(served.event)).states
    assert [states[seat] for seat in (0, 1, 2, 8, 9)] == [1, 0, 0, 1, 1]


async def test_a_postgresql_that_does_not_keep_up_refuses_orders_before_seats_turn_to_paying(served: Served) -> None:
    buyer = await served.buyer()
    await buyer.call("POST", f"{served.base}/holds", json={"seats": [4]}, expect=201)
    paying = await served.buyer()
    await paying.call("POST", f"{served.base}/holds", json={"seats": [5]}, expect=201)

    def repeated() -> Coroutine[Any, Any, httpx.Response]:
        named = {"Idempotency-Key": "made-before"}
        return paying.call("POST", f"{served.base}/reservations", json={"email": "lee@example.org"}, headers=named)

    made = (await repeated()).json()
    assert made["status"] == "PAYING"
    served.postgres.hang()
    looks = await served.flooded(lambda: buyer.call("GET", "/api/reservations"))
    assert {call.result().status_code for call in looks if call.done()} == {503}
    key = iter(range(1_000_000))

    def order() -> Coroutine[Any, Any, httpx.Response]:
        named = {"Idempotency-Key": f"order-{next(key)}"}
        return buyer.call("POST", f"{served.base}/reservations", json={"email": "kim@example.org"}, headers=named)

    orders: list[Call] = []

    def refused() -> bool:
        orders.append(served.begin(order()))
        return any(call.done() for call in orders)

    await until(refused, "an order is refused while PostgreSQL is held back")
    answer = next(call.result() for call in orders if call.done())
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    basket = await served.runtime.seats.basket(served.event, buyer.visitor)
    assert basket is not None
    assert not basket.paying
    crowded = served.runtime.vitals.read().crowded["postgresql"]
    assert crowded >= 2
    again = served.begin(repeated())

    def looked_up() -> bool:
        return served.runtime.vitals.read().crowded["postgresql"] > crowded

    await until(looked_up, "the repeat finds no room")
    await served.ended()
    assert again.result().json()["id"] == made["id"], "what was begun is answered, however long the line"
    await buyer.call("GET", "/api/reservations", expect=200)
