"""Several commands over one connection, without the library's price (E1): nobody's answer is ever another's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import ConnectionError, ReadOnlyError, ResponseError, TimeoutError

from core.process import store_redis
from core.process.exchange_redis import Exchange
from core.process.store_redis import redis_client
from tests import topologies
from tests.contract.store_proxy import StoreProxy
from tests.waits import PATIENCE, until


@pytest.fixture
async def client(stores: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Redis]:
    """Of few connections, with much patience."""
    monkeypatch.setattr(store_redis, "ANSWER_SECONDS", PATIENCE)
    opened = redis_client(stores.redis_url, 2)
    yield opened
    await opened.aclose()


def taken(client: Redis) -> int:
    return len(cast(BlockingConnectionPool, client.connection_pool)._in_use_connections)


async def test_answers_come_in_order_with_refusals_among_them(client: Redis) -> None:
    exchange = Exchange(client)
    await client.set("speed:text", "x")
    answers = await exchange([("ECHO", "one"), ("INCR", "speed:text"), ("EVALSHA", "0" * 40, 0), ("ECHO", "four")])
    assert (answers[0], answers[3]) == (b"one", b"four")
    assert [isinstance(answer, ResponseError) for answer in answers] == [False, True, True, False]
    assert type(answers[2]).__name__ == "NoScriptError"
    large = "z" * 300_000
    assert await exchange([("ECHO", large), ("ECHO", "after")]) == [large.encode(), b"after"]
    await exchange.end()
    assert taken(client) == 0


async def test_whoever_goes_on_keeps_its_connection_and_gives_it_back(client: Redis) -> None:
    exchange = Exchange(client)
    (first,) = await exchange([("CLIENT", "ID")])
    (second,) = await exchange([("CLIENT", "ID")])
    assert (first == second, taken(client)) == (True, 1)
    await exchange.end()
    await exchange.end()
    assert taken(client) == 0


async def test_one_who_is_cut_off_leaves_nobody_a_foreign_answer(client: Redis) -> None:
    exchange = Exchange(client)
    # The library may swallow a cancel that meets it while it connects.
    assert await exchange([("PING",)]) == [b"PONG"]

    async def blocked() -> int:
        return int((await client.info("clients"))["blocked_clients"])

    before = await blocked()  # others use this Valkey too
    cut = asyncio.create_task(exchange([("ECHO", "first"), ("BLPOP", "speed:nothing", 60)]))

    async def waits() -> bool:
        return await blocked() > before

    await until(waits)
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut
    assert taken(client) == 0
    for number in range(10):
        assert await exchange([("ECHO", str(number))]) == [str(number).encode()]
    assert await client.echo("by the library") == b"by the library"
    await exchange.end()


async def test_silence_ends_and_the_next_exchange_is_a_new_one(stores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_redis, "ANSWER_SECONDS", 1.0)
    client = redis_client(stores.redis_url, 2)
    exchange = Exchange(client)
    with pytest.raises(TimeoutError):
        await exchange([("BLPOP", "speed:nothing", 30)])
    assert taken(client) == 0
    # The next connection has time for a machine that stands still. Answers that are each within it may take longer
    # together.
    for connection in cast(BlockingConnectionPool, client.connection_pool)._available_connections:
        connection.socket_timeout, connection.socket_connect_timeout = 5.0, PATIENCE
    assert await exchange([("PING",)]) == [b"PONG"]
    slow = [("BLPOP", "speed:nothing", 0.4)] * 14
    assert await exchange(slow) == [None] * 14
    await exchange.end()
    await client.aclose()


async def test_a_connection_that_redis_closes_is_told_and_made_anew(client: Redis) -> None:
    exchange = Exchange(client)
    (name,) = await exchange([("CLIENT", "ID")])
    killer = asyncio.create_task(exchange([("BLPOP", "speed:nothing", 30)]))
    await asyncio.sleep(0)
    other = Exchange(client)
    await other([("CLIENT", "KILL", "ID", name)])
    with pytest.raises(ConnectionError):
        await killer
    (anew,) = await exchange([("CLIENT", "ID")])
    assert anew != name
    for one in (exchange, other):
        await one.end()


async def test_a_replica_at_the_address_is_left_for_the_primary() -> None:
    """A failover behind one address leaves our connections with what is a replica now (S16)."""
    with topologies.single() as old, topologies.single() as new:
        proxy = StoreProxy(("127.0.0.1", old.port))
        await proxy.open()
        client = redis_client(f"redis://127.0.0.1:{proxy.port}/0", 16)
        kept, idle = Exchange(client), Exchange(client)
        try:
            assert await kept([("SET", "speed:a", "1")]) == [b"OK"]
            assert await idle([("SET", "speed:b", "1")]) == [b"OK"]
            await idle.end()
            old.client().replicaof("127.0.0.1", 1)
            proxy.lead_to(("127.0.0.1", new.port))
            (refused,) = await kept([("SET", "speed:a", "2")])
            assert isinstance(refused, ReadOnlyError)
            assert await kept([("SET", "speed:a", "3")]) == [b"OK"]
            assert await client.set("speed:b", "3"), "one that nobody had was made anew as well"
            assert new.client().mget("speed:a", "speed:b") == [b"3", b"3"]
        finally:
            await kept.end()
            await client.aclose()
            await proxy.cut()


async def test_what_an_answer_lacks_is_a_bug_and_no_lost_store(client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = Exchange(client)
    assert await exchange([("PING",)]) == [b"PONG"]

    async def broken(*args: Any, **more: Any) -> Any:
        raise AttributeError("no such name")

    with monkeypatch.context() as patched:
        patched.setattr(exchange._connection._parser, "read_response", broken)
        with pytest.raises(AttributeError, match="no such name"):
            await exchange([("PING",)])
    assert await exchange([("PING",)]) == [b"PONG"], "on another connection"
    await exchange.end()
    assert await exchange([("PING",)]) == [b"PONG"]
    await exchange._connection.disconnect(nowait=True)
    with pytest.raises(ConnectionError):
        await exchange([("PING",)])


async def test_a_client_of_another_kind_is_asked_by_the_library(client: Redis) -> None:
    class Other:
        """Without a pool that we know."""

        def __getattr__(self, name: str) -> Any:
            if name == "connection_pool":
                raise AttributeError(name)
            return getattr(client, name)

    exchange = Exchange(cast(Redis, Other()))
    answers = await exchange([("ECHO", "one"), ("INCR", "speed:text")])
    assert answers[0] == b"one"
    (missing,) = await exchange([("EVALSHA", "0" * 40, 0)])
    assert type(missing).__name__ == "NoScriptError"
    await exchange.end()
    with contextlib.suppress(ResponseError):
        await client.delete("speed:text")
