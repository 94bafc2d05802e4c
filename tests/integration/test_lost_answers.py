"""R5: a write whose answer was lost is read back before anything is said, else it is called unknown; "refused" always
means that nothing was changed, and nothing is done later that was refused."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from core.embedded import Engines
from core.errors import OutcomeUnknown, StoreUnavailable
from core.messaging.dead_letters_postgres import DeadLetters
from core.operator_sessions_postgres import OperatorSessions
from core.process import lua_redis, store_redis
from core.process.lua_redis import ScriptRunner
from core.process.waits import AnswerTimeouts
from core.runtime import Runtime, open_runtime
from core.seats import hold_scripts_redis
from core.seats.best_seats import Wish
from core.seats.board import SeatState
from core.seats.hold_scripts_redis import SCRIPTS
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from core.waiting_room.scripts_redis import _SCRIPTS as QUEUE_SCRIPTS
from tests.booking import Bank, desk
from tests.conftest import small_plan
from tests.contract.api_client import Api, open_client
from tests.contract.store_proxy import StoreProxy, behind_proxies
from tests.live_server import live_server
from tests.waits import PATIENCE
from web.app import create_app

ANSWER = 1.0


@dataclass
class Shop:
    runtime: Runtime
    truth: Runtime  # past the proxies
    event: Event
    postgres: StoreProxy
    redis: StoreProxy
    buyer: Api

    @property
    def holds(self) -> str:
        return f"/api/events/{self.event.slug}/holds"

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Meanwhile a Redis that does not answer is given up sooner than the product does it: the tests are quick. One
        that is well is waited for, however long a busy machine makes it.
        """
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lua_redis, "ANSWER_SECONDS", ANSWER)
            patch.setattr(ScriptRunner, "LONGEST", 1.8)
            # Without the timer of calls that were given longer.
            patch.setattr(self.runtime.run, "_timeouts", AnswerTimeouts())
            yield

    async def held(self) -> tuple[int, ...]:
        basket = await self.truth.seats.basket(self.event, self.buyer.visitor)
        return basket.seats if basket else ()

    async def well(self) -> None:
        """As soon as the process has an answer again."""
        await self.postgres.restore()
        await self.redis.restore()
        async with asyncio.timeout(PATIENCE):
            while (await self.buyer.call("GET", self.holds)).status_code != 200:
                await asyncio.sleep(0.05)


@pytest.fixture
async def shop(
    settings: Settings, stores: Engines, own_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    for module in (store_redis, lua_redis):
        monkeypatch.setattr(module, "ANSWER_SECONDS", PATIENCE)
    for name in ("LONGEST", "LONGEST_BUSY"):
        monkeypatch.setattr(ScriptRunner, name, 2 * PATIENCE)
    # Shorter than the product's, so that the tests are quick.
    monkeypatch.setattr(ScriptRunner, "PAUSE", 0.2)
    monkeypatch.setattr(hold_scripts_redis, "_READ_BACK_SECONDS", 0.3)
    engines = Engines(own_url, stores.redis_url)
    async with (
        behind_proxies(engines) as (proxied, postgres, redis),
        open_runtime(settings, engines) as truth,
        open_runtime(settings, proxied) as runtime,
    ):
        event = await truth.events.create(
            NewEvent(slug=f"r5-{secrets.token_hex(5)}", name="Lost", prices={"Standard": 1000}, status=SaleStatus.OPEN),
            small_plan(12),
        )
        counter = desk(runtime, Bank())
        runtime.checkout = counter.checkout
        async with open_client(create_app(runtime, None)) as client:
            document: dict[str, Any] = (await client.get("/openapi.json")).json()
            buyer = await Api(client, document).as_visitor()
            await buyer.call("POST", f"/api/events/{event.slug}/queue", json={}, expect=200)
            # A script that Redis does not know yet is not carried out, and its refusal would be lost.
            for script in (*SCRIPTS.values(), *QUEUE_SCRIPTS.values()):
                await truth.redis.script_load(script.text)
            await truth.seats.best(event, buyer.visitor, Wish(1))
            await truth.seats.release(event, buyer.visitor)
            try:
                yield Shop(runtime, truth, event, postgres, redis, buyer)
            finally:
                await postgres.restore()
                await redis.restore()
                await counter.supervisor.drain(10)


async def test_an_answer_that_is_lost_is_called_unknown_and_the_hold_is_told(shop: Shop) -> None:
    shop.redis.mute()
    with shop.impatient():
        body = await shop.buyer.refused("POST", shop.holds, 503, "outcome_unknown", json={"seats": [3, 4]})
    assert body["detail"]
    assert await shop.held() == (3, 4), "the fault of this test: it was done"
    await shop.well()
    told = (await shop.buyer.call("GET", shop.holds)).json()
    assert told["seats"] == [3, 4]
    again = (await shop.buyer.call("POST", shop.holds, json={"seats": [3, 4]}, expect=201)).json()
    assert again == told, "the same call, the first answer"


async def test_the_answer_comes_when_redis_can_be_asked_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connections are lost after the script was done: the caller gets the hold and never hears of it."""
    # Nobody gives up before this test has seen the hold, however long a busy machine takes for that.
    monkeypatch.setattr(hold_scripts_redis, "_READ_BACK_SECONDS", PATIENCE)
    shop.redis.mute()
    with shop.impatient():
        asked = asyncio.create_task(shop.buyer.call("POST", shop.holds, json={"best": {"count": 2}}))
        async with asyncio.timeout(PATIENCE):
            while not await shop.held():
                await asyncio.sleep(0.005)
    await shop.redis.restore()
    answer = await asked
    assert answer.status_code == 201, answer.text
    assert tuple(answer.json()["seats"]) == await shop.held()
    assert len(await shop.held()) == 2, "the best seats were taken once"


async def test_what_arrives_when_nobody_waits_any_more_is_not_done(shop: Shop) -> None:
    """Redis, or the way to it, hung: what was sent meanwhile arrives afterwards, and nobody pays for it."""
    shop.redis.hang()
    with shop.impatient():
        await shop.buyer.refused("POST", shop.holds, 503, "outcome_unknown", json={"seats": [5]})
    await shop.well()
    await shop.buyer.call("GET", shop.holds, expect=200)
    board = await shop.truth.seats.board(shop.event)
    assert (await shop.held(), board.states[5]) == ((), SeatState.AVAILABLE)
    assert (await shop.buyer.call("POST", shop.holds, json={"seats": [5]}, expect=201)).json()["seats"] == [5]


async def test_without_redis_time_the_late_hold_would_be_done(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard taken out: this is what the one before it is about."""
    monkeypatch.setattr(shop.runtime.run, "_now_ms", lambda: 0)
    shop.redis.hang()
    with shop.impatient():
        await shop.buyer.refused("POST", shop.holds, 503, "outcome_unknown", json={"seats": [5]})
    await shop.well()
    async with asyncio.timeout(PATIENCE):
        while await shop.held() != (5,):
            await asyncio.sleep(0.02)


async def test_who_could_not_even_send_was_refused_and_nothing_changed(shop: Shop) -> None:
    await shop.redis.cut()
    await shop.runtime.redis.connection_pool.disconnect()
    with shop.impatient():
        await shop.buyer.refused("POST", shop.holds, 503, "store_unavailable", json={"seats": [6]})
    assert await shop.held() == ()


async def test_who_only_asks_is_never_told_of_an_unknown_outcome(shop: Shop) -> None:
    shop.redis.mute()
    with shop.impatient():
        await shop.buyer.refused("GET", shop.holds, 503, "store_unavailable")


async def test_the_same_key_gives_the_best_seats_of_the_first_call(shop: Shop) -> None:
    async def best(key: str) -> list[int]:
        answer = await shop.buyer.call(
            "POST", shop.holds, json={"best": {"count": 2}}, headers={"Idempotency-Key": key}, expect=201
        )
        return list(answer.json()["seats"])

    shop.redis.mute()
    with shop.impatient():
        await shop.buyer.refused(
            "POST",
            shop.holds,
            503,
            "outcome_unknown",
            json={"best": {"count": 2}},
            headers={"Idempotency-Key": "one"},
        )
    first = await shop.held()
    assert len(first) == 2
    await shop.well()
    assert tuple(await best("one")) == first
    assert tuple(await best("one")) == first
    assert len(await best("two")) == 4, "another key is another wish"


@pytest.mark.parametrize("what", ["release", "extend", "leave"])
async def test_every_write_to_the_basket_may_be_made_again(shop: Shop, what: str) -> None:
    seats, event, visitor = shop.runtime.seats, shop.event, shop.buyer.visitor
    before = await seats.hold(event, visitor, [1, 2])
    shop.redis.mute()
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "release": lambda: seats.release(event, visitor, [1]),
        "extend": lambda: seats.extend(event, visitor),
        "leave": lambda: shop.runtime.waiting_room.leave(event, visitor),
    }
    with shop.impatient(), pytest.raises(OutcomeUnknown):
        await calls[what]()
    await shop.well()
    after = await shop.truth.seats.basket(event, visitor)
    match what:
        case "release":
            assert after is not None
            assert after.seats == (2,)
            assert await calls[what]() == after
        case "extend":
            assert after is not None
            assert after.until > before.until
            assert after.extensions_left == before.extensions_left - 1
        case _:
            assert after is None


async def test_an_order_whose_answer_was_lost_is_the_same_order(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL made the reservation: the same key finds it, and no second one is made (rule 2)."""
    orders, order = f"/api/events/{shop.event.slug}/reservations", {"email": "kim@example.org"}
    key = {"Idempotency-Key": "one"}
    await shop.buyer.call("POST", shop.holds, json={"seats": [7]}, expect=201)
    # Looked up before the guard: what is muted must be the guard's own answer.
    real = shop.runtime.checkout._reservations.begin

    async def muted(*arguments: Any) -> Any:
        shop.postgres.mute()
        return await real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(shop.runtime.checkout._reservations, "begin", muted)
        await shop.buyer.refused("POST", orders, 503, "outcome_unknown", json=order, headers=key)
    await shop.postgres.restore()
    async with asyncio.timeout(PATIENCE):
        while (made := await shop.buyer.call("POST", orders, json=order, headers=key)).status_code != 202:
            await asyncio.sleep(0.1)
    (stored,) = await shop.truth.checkout.of_visitor(shop.buyer.visitor)
    assert str(stored.id) == made.json()["id"]


#: What an operator writes in PostgreSQL, besides what goes with an order.
WRITES: dict[str, Callable[[Shop], Awaitable[object]]] = {
    "a removal": lambda shop: shop.runtime.removals.add(
        shop.event, visitor="v", until=shop.runtime.clock.now() + timedelta(hours=1), actor="kim"
    ),
    "its end": lambda shop: shop.runtime.removals.end(shop.event, 1),
    "the end of a session": lambda shop: OperatorSessions(shop.runtime.database, shop.runtime.clock).end(uuid4()),
    "codes": lambda shop: shop.runtime.codes.make(shop.event, "club", 1),
    "codes revoked": lambda shop: shop.runtime.codes.revoke(shop.event, "club", None),
    "a letter sent again": lambda shop: DeadLetters(shop.runtime.database).retry([1]),
    "a letter let go of": lambda shop: DeadLetters(shop.runtime.database).discard([1]),
}


@pytest.mark.parametrize("what", WRITES)
async def test_an_operators_write_without_an_answer_may_have_been_done(shop: Shop, what: str) -> None:
    shop.postgres.mute()
    with pytest.raises(OutcomeUnknown):
        await WRITES[what](shop)


async def test_a_read_that_is_lost_while_ordering_says_that_nothing_changed(shop: Shop) -> None:
    await shop.buyer.call("POST", shop.holds, json={"seats": [7]}, expect=201)
    shop.postgres.mute()
    path = f"/api/events/{shop.event.slug}/reservations"
    await shop.buyer.refused(
        "POST",
        path,
        503,
        "store_unavailable",
        json={"email": "kim@example.org"},
        headers={"Idempotency-Key": "one"},
    )


async def test_the_channel_tells_what_became_of_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shop.runtime.seats.hold

    async def muted(*arguments: Any) -> Any:
        # Not earlier: a connection that is made anew is not even greeted, and what waits for it is not sent.
        shop.redis.mute()
        return await real(*arguments)

    monkeypatch.setattr(shop.runtime.seats, "hold", muted)
    async with live_server(shop.runtime) as server, server.browser(shop.event.slug) as page:
        await page.entered()
        with shop.impatient():
            problem = await page.ask("hold", seats=[8])
        assert (problem["type"], problem["code"]) == ("problem", "outcome_unknown")
        await shop.redis.restore()
        held = await page.until("held", lambda message: message["seats"] == [8])
        assert held.get("id", "") == ""


async def test_messages_of_the_driver_are_known(shop: Shop) -> None:
    """What tells a command that was not sent from one that was."""
    await shop.redis.cut()
    await shop.runtime.redis.connection_pool.disconnect()
    with shop.impatient(), pytest.raises(StoreUnavailable) as refused:
        await shop.runtime.seats.release(shop.event, "nobody")
    assert not isinstance(refused.value, OutcomeUnknown), repr(refused.value.__cause__)
