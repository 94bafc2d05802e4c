"""Nothing in Redis grows without bound (rule 8, S11): every key has a TTL, or is its event's and dies with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from core import keys
from core.embedded import Engines
from core.process.store_redis import redis_client
from core.runtime import Runtime, open_runtime
from core.seats.board import SeatState
from core.settings import Settings
from core.upkeep.memory_redis import memory
from core.upkeep.sweeping import Sweeping
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from core.waiting_room.queue_redis import _CLOSED_KEPT_MS
from tests.conftest import MakeEvent, small_plan
from tests.integration.onsale_process import serving
from tests.live_server import PATIENCE, LiveServer, live_server
from tests.own_database import own_database
from tests.payment_servers import simulator, through_window
from tests.sale_keys import sale_keys
from tests.topologies import cluster, single

pytestmark = pytest.mark.usefixtures("patient")

SLUG = "short"


@pytest.fixture
async def sale(settings: Settings, stores: Engines, tmp_path: Path) -> AsyncIterator[tuple[Runtime, LiveServer]]:
    """A whole process on a Redis and a database of its own: jobs, live channel, HTTP, payment."""
    with single() as valkey:
        async with own_database(stores.database_url) as database_url, simulator(tmp_path / "books") as provider:
            engines = Engines(database_url, f"redis://127.0.0.1:{valkey.port}/0")
            changed = settings.model_copy(
                update={
                    "redis_url": engines.redis_url,
                    "database_url": database_url,
                    "simulator_url": provider.url,
                    "active_limit_mode": "load",
                    "limits_seconds": 0.2,
                    "sweep_seconds": 0.2,
                    "janitor_seconds": 0.2,
                    "seat_guard": "lock",
                    "data": tmp_path / "data",
                }
            )
            async with open_runtime(changed, engines) as runtime:
                await runtime.start_jobs()
                try:
                    async with live_server(runtime) as server:
                        yield runtime, server
                finally:
                    await runtime.stop_jobs(20)


async def make(runtime: Runtime) -> Event:
    new = NewEvent(
        slug=SLUG,
        name="Short",
        prices={"Standard": 100},
        status=SaleStatus.OPEN,
        active_limit=3,
        hold_seconds=300,
        max_seats=4,
    )
    return await runtime.events.create(new, small_plan(20))


async def unbounded(redis: Redis) -> set[str]:
    """Keys without a TTL."""
    return {key.decode() async for key in redis.scan_iter() if await redis.ttl(key) == -1}


async def names(redis: Redis) -> set[str]:
    return {key.decode() async for key in redis.scan_iter()}


async def sell(runtime: Runtime, server: LiveServer) -> None:
    """Everything that a sale does once: three come in, two wait; one pays, one holds, one gives up."""
    async with contextlib.AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(server.browser(SLUG)) for _ in range(5)]
        inside = channels[:3]
        for channel in channels:
            await channel.until("welcome")
            await channel.send("join")
            await channel.until("admitted" if channel in inside else "queue")
        for channel in inside:
            await channel.until("board")
        for number, channel in enumerate(inside):
            await channel.ask("hold", seats=[2 * number, 2 * number + 1])
        buyer = inside[0]
        await buyer.send("beat")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=PATIENCE) as client:
            paid = await client.post(
                f"/api/events/{SLUG}/reservations",
                json={"email": "b@example.com"},
                headers={"Authorization": f"Bearer {server.token(buyer.visitor)}", "Idempotency-Key": "one"},
            )
            assert paid.status_code == 202, paid.text
            await through_window(client, paid.json()["payment"], str(runtime.settings.simulator_url))
        await buyer.until_seat(0, SeatState.SOLD)
        await inside[2].send("leave")
        await channels[3].until("admitted")


async def bounded(redis: Redis) -> None:
    """Sweeps are going on; fails with the names of the keys that never get a TTL."""
    left: set[str] = set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while left := await unbounded(redis):
                await asyncio.sleep(0.1)
            return
    raise AssertionError(f"keys without a TTL: {sorted(left)}")


async def test_every_key_has_a_ttl_or_dies_with_its_event(sale: tuple[Runtime, LiveServer]) -> None:
    runtime, server = sale
    await make(runtime)
    await sell(runtime, server)
    redis = runtime.redis

    # While it is open only the event's own keys may be without a TTL, and the single seats' keys never are.
    assert await unbounded(redis) <= set(sale_keys(SLUG))
    expected = {
        keys.board(SLUG),
        keys.fence(SLUG),
        keys.LOAD,
        keys.job_lease("sweep"),
        keys.active_cap(SLUG),
        keys.seat_state(SLUG, 2),
        keys.breaker("toss"),
    }
    missing = set(expected)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while missing:
                missing -= await names(redis)
                assert await unbounded(redis) <= set(sale_keys(SLUG))
                await asyncio.sleep(0.05)
    assert missing == set()

    await runtime.events.set_status(SLUG, SaleStatus.CLOSED)
    await bounded(redis)
    for name in sale_keys(SLUG):
        assert await redis.pttl(name) <= _CLOSED_KEPT_MS


async def test_a_board_that_somebody_looks_at_long_after_the_sale_dies_again(sale: tuple[Runtime, LiveServer]) -> None:
    """The keys are gone; a visitor who opens the page, and the consistency job, make Redis build the board anew."""
    runtime, server = sale
    event = await make(runtime)
    await sell(runtime, server)
    await runtime.events.set_status(SLUG, SaleStatus.CLOSED)
    redis = runtime.redis
    await bounded(redis)
    await runtime.jobs.stop()
    await redis.delete(*sale_keys(SLUG))

    clock = runtime.clock
    sweeping = Sweeping(events=runtime.events, waiting_room=runtime.waiting_room, clock=clock)
    await sweeping.run()
    # The sweep itself makes nothing: there is nothing to sweep.
    assert not await names(redis) & set(sale_keys(SLUG))
    event = await runtime.events.get(SLUG)
    board = await runtime.seats.board(event)
    assert board.states[0] == SeatState.SOLD
    assert keys.board(SLUG) in await names(redis)
    assert await unbounded(redis) == set()


async def test_a_sale_that_opens_again_keeps_its_keys(sale: tuple[Runtime, LiveServer]) -> None:
    """And the limit that the load set stays one that ends by itself."""
    runtime, server = sale
    await make(runtime)
    await sell(runtime, server)
    await runtime.events.set_status(SLUG, SaleStatus.CLOSED)
    redis = runtime.redis
    await bounded(redis)
    await runtime.jobs.stop()
    await redis.set(keys.active_cap(SLUG), 2, px=600_000)
    await runtime.events.set_status(SLUG, SaleStatus.OPEN)
    await runtime.waiting_room.sweep(await runtime.events.get(SLUG))
    assert await redis.ttl(keys.board(SLUG)) == -1
    assert await redis.ttl(keys.board_version(SLUG)) == -1
    assert 0 < await redis.pttl(keys.active_cap(SLUG)) <= 600_000


async def test_a_crowd_that_meets_a_lost_board_is_let_in(runtime: Runtime, make_event: MakeEvent) -> None:
    """A thousand calls in one process while the board is away: one asks for it, all are answered."""
    event = await make_event(seats=20, active_limit=1000)
    await runtime.redis.delete(*sale_keys(event.slug))
    places = await asyncio.gather(*(runtime.waiting_room.join(event, f"v{i}") for i in range(1000)))
    assert len({place.number for place in places}) == 1000


async def test_memory_of_one_server_and_of_a_cluster() -> None:
    """What the alert on Redis' memory looks at (S30)."""
    with single("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as server:
        redis = redis_client(f"redis://127.0.0.1:{server.port}/0", 4)
        (node,) = await memory(redis)
        assert (node.node, node.most, node.keeps_keys, node.evicted) == ("redis", 100 * 2**20, False, 0)
        assert 0 < node.used < node.most
        await redis.aclose()
    with cluster() as (url, _):
        redis = redis_client(url, 8)
        await redis.ping()
        nodes = await memory(redis)
        assert len({node.node for node in nodes}) == 3
        assert all(node.keeps_keys and node.used > 0 for node in nodes)
        await redis.aclose()


async def test_a_redis_that_would_lose_holds_is_told_of_at_the_start(stores: Engines, tmp_path: Path) -> None:
    with single("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as valkey:
        addresses = {"DATABASE_URL": stores.database_url, "REDIS_URL": f"redis://127.0.0.1:{valkey.port}/0"}

        def warned() -> str:
            with serving(tmp_path, ONSALE_DATA=str(tmp_path / "data"), **addresses) as server:
                return server.errors

        said = await asyncio.to_thread(warned)
    assert "allkeys-lru" in said
    assert "noeviction" in said
