"""S12: single, Sentinel, Cluster by URL alone; rules 1 and 3 when a master dies in the middle.

Other ways in which Redis fails: `test_redis_faults.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from core import keys
from core.booking.reservation import ReservationStatus
from core.embedded import Engines
from core.errors import OnsaleError, OutcomeUnknown, StartupError, StoreUnavailable
from core.process.store_redis import open_redis, redis_client
from core.runtime import open_runtime
from core.settings import Settings
from core.venue.event import Event
from tests import topologies
from tests.booking import Bank, Desk, check_books, desk, finish_all
from tests.conftest import MakeEvent
from tests.waits import PATIENCE


@pytest.mark.parametrize("kind", ["sentinels", "cluster"])
async def test_the_main_job_and_the_death_of_a_master(
    kind: str, settings: Settings, stores: Engines, make_event: MakeEvent
) -> None:
    # On the Cluster scripts publish within the shard; where there is none the setting changes nothing.
    settings = settings.model_copy(update={"redis_pubsub": "sharded"})
    event = await make_event(seats=40, active_limit=50)
    other = await make_event(seats=40, active_limit=50)
    bank = Bank()
    with contextlib.ExitStack() as stack:
        url, servers = await asyncio.to_thread(stack.enter_context, getattr(topologies, kind)())
        async with open_runtime(settings, Engines(stores.database_url, url)) as runtime:
            shop = desk(runtime, bank)
            await asyncio.gather(*(_sold(shop, e, n) for n in range(5) for e in (event, other)))
            victim = await _server_of(event, servers)
            sales = [asyncio.create_task(_sold(shop, event, n)) for n in range(5, 15)]
            await asyncio.to_thread(victim.kill)  # in the middle of them
            await asyncio.gather(*sales)
            await finish_all(shop, event)
            books = await check_books(runtime, event, bank)
            assert books["CONFIRMED"] == 15
            await shop.supervisor.drain(10)
        await asyncio.to_thread(stack.close)


async def _sold(shop: Desk, event: Event, number: int) -> None:
    """A visitor gets the seat of its own number, paid; a store that is failing over is asked again."""
    visitor, tries = f"v{number}", 0
    async with asyncio.timeout(PATIENCE):
        while True:
            tries += 1
            try:
                await shop.basket(event, visitor, number)
                reservation = await shop.submit(event, visitor, key=f"{number}-{tries}")
            except OnsaleError:
                # Nobody else wants this seat: a try whose answer was lost may have ordered it.
                row = await shop.runtime.database.fetch_one(
                    "SELECT s.reservation_id FROM reservation_seats s JOIN reservations r ON r.id = s.reservation_id "
                    "WHERE s.event_id = :event AND s.ordinal = :seat AND s.live AND r.visitor = :visitor",
                    {"event": event.id, "seat": number, "visitor": visitor},
                )
                if row is None:
                    await asyncio.sleep(0.2)
                    continue
                reservation = await shop.checkout.get(row["reservation_id"], visitor)
            assert (await shop.over(await shop.pay(reservation))).status is ReservationStatus.CONFIRMED
            return


async def _server_of(event: Event, servers: list[topologies.ValkeyProcess]) -> Any:
    """The master that has the event's keys."""
    for server in servers:
        client = server.client()
        with contextlib.suppress(Exception):
            if client.info("replication")["role"] == "master" and client.get(keys.board(event.slug)) is not None:
                return server
    raise AssertionError("no master has the board")


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1",
        "redis+sentinel://127.0.0.1:1/mymaster",
        "redis+sentinel://127.0.0.1:1",
        "redis+cluster://127.0.0.1:1",
        "nonsense",
        "redis+cluster://",
        "unix:///nowhere/valkey.sock",
    ],
)
async def test_a_wrong_url_is_one_clear_line(url: str) -> None:
    with pytest.raises(StartupError, match="check REDIS_URL") as error:
        await open_redis(url, 4)
    assert "\n" not in str(error.value)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(ValueError):
        redis_client("redis+sentinel://user:hush@127.0.0.1:1", 4)


async def test_an_unreachable_redis_says_no_in_time(settings: Settings, stores: Engines, make_event: MakeEvent) -> None:
    """S16: three tries, one second apart; then writes are refused, reads come from PostgreSQL, nobody hangs."""
    event = await make_event()
    with contextlib.ExitStack() as stack:
        server = await asyncio.to_thread(
            stack.enter_context, topologies.single("--appendonly", "yes", "--appendfsync", "always")
        )
        async with open_runtime(
            settings, Engines(stores.database_url, f"redis://127.0.0.1:{server.port}/0")
        ) as runtime:
            await runtime.waiting_room.join(event, "a")
            await runtime.seats.hold(event, "a", [0])
            server.kill()
            loop = asyncio.get_running_loop()
            began = loop.time()
            refused = await asyncio.gather(
                *(runtime.seats.hold(event, f"v{i}", [i]) for i in range(event.seat_count)), return_exceptions=True
            )
            # What was sent into a connection that died may have been done: such a call says so (R5).
            assert {type(error) for error in refused} <= {StoreUnavailable, OutcomeUnknown}
            assert loop.time() - began < PATIENCE  # the bound is 3 s; a busy machine is given room
            board = await runtime.seats.board(event)
            assert board.version == 0
            assert len(board.states) == event.seat_count
            server.start()
            async with asyncio.timeout(PATIENCE):
                while (await runtime.seats.board(event)).version == 0:
                    await asyncio.sleep(0.1)
            # Recovery without a restart, with what the append-only file kept.
            basket = await runtime.seats.basket(event, "a")
            assert basket is not None
            assert basket.seats == (0,)
