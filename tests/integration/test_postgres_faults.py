"""PostgreSQL away, hanging, slow, full of connections, failing over: the queue and holds go on, checkout refuses in
plain words, nothing is charged without a row, and all is well again without a restart (S13, S15, rule 2)."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import pytest

from core import database
from core.embedded import Engines
from core.errors import StoreUnavailable
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from realtime.composition import channel_limits
from realtime.live_event import LiveEvent
from realtime.subscriptions import Subscriptions
from tests.booking import Bank, Desk, check_books, desk, finish_all, way_back
from tests.conftest import small_plan
from tests.contract.api_client import Api, open_client
from tests.contract.store_proxy import StoreProxy
from tests.own_database import own_database
from tests.waits import PATIENCE, until
from web.app import create_app

SEATS = 6
ORDER = {"email": "kim@example.org"}


@dataclass
class Faulty:
    """A database whose server can be made to fail, and what can be done to it. The product logs in as `role`."""

    url: str
    name: str
    role: str
    proxy: StoreProxy
    admin: asyncpg.Connection

    async def drop_connections(self) -> None:
        await self.admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", self.role)

    async def away(self) -> None:
        await self.proxy.cut()

    async def hanging(self) -> None:
        self.proxy.hang()

    async def slow(self) -> None:
        self.proxy.slow(3 * database.ANSWER_SECONDS)

    async def full(self) -> None:
        await self.admin.execute(f"ALTER ROLE {self.role} CONNECTION LIMIT 0")
        await self.drop_connections()

    async def replica(self) -> None:
        """The primary has died; who answers at its address is a replica, and will be the primary in a while."""
        await self.admin.execute(f"ALTER ROLE {self.role} SET default_transaction_read_only = on")
        await self.drop_connections()

    async def well(self) -> None:
        await self.admin.execute(f"ALTER ROLE {self.role} CONNECTION LIMIT -1")
        await self.admin.execute(f"ALTER ROLE {self.role} RESET default_transaction_read_only")
        await self.proxy.restore()


@pytest.fixture(scope="module")
async def faulty(stores: Engines) -> AsyncIterator[Faulty]:
    role = f"shop_{secrets.token_hex(4)}"
    async with own_database(stores.database_url) as url:
        parts = urlsplit(url)
        proxy = StoreProxy(f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432")
        await proxy.open()
        admin = await asyncpg.connect(url)
        await admin.execute(f"CREATE ROLE {role} LOGIN")
        await admin.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        await admin.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
        yield Faulty(
            f"postgresql://{role}@127.0.0.1:{proxy.port}{parts.path}", parts.path.strip("/"), role, proxy, admin
        )
        await proxy.cut()
        await admin.execute(f"DROP OWNED BY {role}")
        await admin.execute(f"DROP ROLE {role}")
        await admin.close()


@dataclass
class Shop:
    """A process on that database, its HTTP interface, and an event on sale."""

    runtime: Runtime
    desk: Desk
    bank: Bank
    event: Event
    client: httpx.AsyncClient
    nobody: Api

    @property
    def base(self) -> str:
        return f"/api/events/{self.event.slug}"

    async def order(self, buyer: Api, expect: int | None = None) -> httpx.Response:
        return await buyer.call(
            "POST", f"{self.base}/reservations", json=ORDER, headers={"Idempotency-Key": "one"}, expect=expect
        )

    async def pay(self, ordered: httpx.Response) -> None:
        """The buyer goes through the window and comes back."""
        back = way_back(self.bank, ordered.json()["payment"]["order"])
        await eventually(lambda: self.client.get(back), 303)


@pytest.fixture
async def shop(settings: Settings, stores: Engines, faulty: Faulty) -> AsyncIterator[Shop]:
    # With the product's patience: a machine that stands still for a second is no fault.
    async with open_runtime(settings, Engines(faulty.url, stores.redis_url)) as runtime:
        event = await runtime.events.create(
            NewEvent(
                slug=f"f-{secrets.token_hex(5)}", name="Faults", prices={"Standard": 1000}, status=SaleStatus.OPEN
            ),
            small_plan(SEATS),
        )
        bank = Bank()
        counter = desk(runtime, bank)
        runtime.checkout = counter.checkout
        async with open_client(create_app(runtime, None)) as client:
            document: dict[str, Any] = (await client.get("/openapi.json")).json()
            try:
                yield Shop(runtime, counter, bank, event, client, Api(client, document))
            finally:
                await faulty.well()
                await counter.supervisor.drain(10)


async def eventually(what: Callable[[], Awaitable[httpx.Response]], status: int) -> httpx.Response:
    """Until that is the answer. Meanwhile only a plain refusal is allowed."""
    async with asyncio.timeout(PATIENCE):
        while (answer := await what()).status_code != status:
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable"), answer.text
            await asyncio.sleep(0.1)
    return answer


@pytest.mark.parametrize("fault", ["away", "hanging", "slow", "full", "replica"])
async def test_holds_go_on_and_nothing_is_charged_without_a_row(
    fault: str, shop: Shop, faulty: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    buyer, late = await shop.nobody.as_visitor(), await shop.nobody.as_visitor()
    await buyer.call("POST", f"{shop.base}/queue", expect=200)
    await buyer.call("POST", f"{shop.base}/holds", json={"seats": [0, 1]}, expect=201)

    await getattr(faulty, fault)()
    await late.call("POST", f"{shop.base}/queue", expect=200)
    await late.call("POST", f"{shop.base}/holds", json={"seats": [2]}, expect=201)
    board = (await late.call("GET", f"{shop.base}/board", expect=200)).json()
    assert board["version"] > 0, "Redis' own board"
    refused, events = await asyncio.gather(shop.order(buyer, 503), shop.client.get("/api/events"))
    assert refused.json()["code"] == "store_unavailable"
    assert refused.json()["detail"] == "The sale is interrupted for a moment: nothing was lost, try again"
    assert "retry-after" in refused.headers
    # A replica can be read, at the latest over a new connection: those of before were given up with its refusal.
    if fault == "replica":
        await eventually(lambda: shop.client.get("/api/events"), 200)
    else:
        assert events.status_code == 503
    assert shop.bank.ledger == {}
    assert (await buyer.call("GET", f"{shop.base}/holds", expect=200)).json()["seats"] == [0, 1], "still the buyer's"

    await faulty.well()
    answer = await eventually(lambda: shop.order(buyer), 202)
    await shop.pay(answer)
    await finish_all(shop.desk, shop.event)
    reservation = await eventually(lambda: buyer.call("GET", f"/api/reservations/{answer.json()['id']}"), 200)
    assert reservation.json()["status"] == "CONFIRMED"
    assert [entry.charged for entry in shop.bank.ledger.values()] == [1]
    await late.call("DELETE", f"{shop.base}/holds", expect=204)
    assert (await check_books(shop.runtime, shop.event, shop.bank)) == {"CONFIRMED": 1}
    # An operator reads lines, not traces.
    assert not [record for record in caplog.records if record.exc_info and record.name.startswith("asyncpg")]


async def test_an_answer_that_is_lost_is_looked_up(shop: Shop, faulty: Faulty) -> None:
    """The server has written the reservation, and hangs before it says so: the buyer is refused, the row is found."""
    buyer = await shop.nobody.as_visitor()
    await buyer.call("POST", f"{shop.base}/queue", expect=200)
    await buyer.call("POST", f"{shop.base}/holds", json={"seats": [0]}, expect=201)
    reservations = shop.desk.checkout._reservations
    begin = reservations.begin

    async def unheard(*arguments: Any) -> Any:
        faulty.proxy.mute()
        reservations.begin = begin  # type: ignore[method-assign]
        return await begin(*arguments)

    reservations.begin = unheard  # type: ignore[method-assign, assignment]
    await shop.order(buyer, 503)
    assert shop.bank.ledger == {}
    await faulty.well()
    await shop.pay(await eventually(lambda: shop.order(buyer), 202))
    await finish_all(shop.desk, shop.event)
    assert (await check_books(shop.runtime, shop.event, shop.bank)) == {"CONFIRMED": 1}


async def test_news_of_a_sale_makes_no_process_forget_it(shop: Shop, faulty: Faulty) -> None:
    """An operator pauses the sale because PostgreSQL is in trouble: who hears of that goes on with what was known."""
    runtime = shop.runtime
    live = LiveEvent(
        shop.event,
        session_seconds=runtime.settings.session_seconds,
        limits=channel_limits(runtime.settings),
        clock=runtime.clock,
        supervisor=runtime.supervisor,
        subscriptions=Subscriptions(runtime.redis),
        events=runtime.events,
        waiting_room=runtime.waiting_room,
        seats=runtime.seats,
        stores=runtime.stores,
    )
    await runtime.events.update(shop.event.slug, paused=True)
    faulty.proxy.hang()
    live._sale_changed()
    assert (await runtime.events.get(shop.event.slug)).paused
    await faulty.well()
    live._sale_changed()
    assert (await runtime.events.get(shop.event.slug)).paused


async def test_a_crowd_that_meets_a_hanging_server_is_told(shop: Shop, faulty: Faulty) -> None:
    """Those who wait for a connection as well: nobody waits for those in front."""
    faulty.proxy.hang()
    reads = [shop.nobody.call("GET", "/api/events") for _ in range(60)]
    answers = await asyncio.wait_for(asyncio.gather(*reads), PATIENCE)
    assert {answer.status_code for answer in answers} == {503}
    await faulty.well()
    await eventually(lambda: shop.nobody.call("GET", "/api/events"), 200)


async def test_a_statement_is_cancelled_and_its_connection_used_again(shop: Shop) -> None:
    """Slow, but there: PostgreSQL agrees to stop, and is not asked for a new connection."""
    pool = shop.runtime.database._backend._pool
    backends: list[int] = []

    async def sleep() -> None:
        async with database.raw(shop.runtime.database) as connection:
            backends.append(connection.get_server_pid())
            await connection.execute("SELECT pg_sleep(60)")

    async def again() -> bool:
        """A server that stood still meanwhile has not agreed in time, and its connection was given up."""
        before = len(backends)
        with pytest.raises(StoreUnavailable):
            await sleep()
        return len(backends) > before > 0 and backends[-1] == backends[-2]

    await until(again, "a connection to be used again")
    assert pool.get_size() <= 2


async def test_a_task_that_is_cancelled_twice_has_a_connection_afterwards(faulty: Faulty) -> None:
    """Two time limits that end at about the same moment: the task goes on, as a periodic job's does, and asks again."""
    small = await database.open_database(faulty.url, 1)
    try:
        async with database.raw(small) as connection:
            await connection.execute("SELECT 1")
        faulty.proxy.hang()
        task, asked = asyncio.current_task(), asyncio.Event()
        assert task is not None

        async def cancel_twice() -> None:
            await asked.wait()
            for _ in range(2):
                await asyncio.sleep(0.05)
                task.cancel()

        async def ask() -> None:
            async with database.raw(small) as connection:
                asked.set()
                await connection.execute("SELECT 1")

        cancelling = asyncio.create_task(cancel_twice())
        with pytest.raises(asyncio.CancelledError):
            await ask()
        await cancelling
        assert task.uncancel() + task.uncancel() == 1
        await faulty.well()
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    async with database.raw(small) as connection:
                        assert await connection.fetchval("SELECT 1") == 1
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.05)
    finally:
        await faulty.well()
        await database.close_database(small)


async def test_an_end_does_not_wait_for_a_hanging_server(
    settings: Settings, stores: Engines, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_DISCONNECT_SECONDS", 0.3)
    async with asyncio.timeout(PATIENCE):
        async with open_runtime(settings, Engines(faulty.url, stores.redis_url)):
            faulty.proxy.hang()
    await faulty.well()


def test_nobody_is_kept_waiting_for_long() -> None:
    """About three seconds, whether PostgreSQL hangs with our statement or before we have a connection."""
    assert database.ANSWER_SECONDS + database._CANCEL_SECONDS <= 3
    assert database.POOL_SECONDS <= 3


def test_what_asyncpg_says_of_a_lost_server_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("asyncpg.pool")
    for error in (ConnectionRefusedError(111, "Connect call failed"), ValueError("a bug")):
        try:
            raise error
        except Exception:
            log.warning("Failed to restore the pool connection floor; retrying", exc_info=True)
    lost, bug = caplog.records
    assert lost.exc_info is None
    assert lost.getMessage().startswith("PostgreSQL cannot be reached: [Errno 111]")
    assert bug.exc_info is not None
