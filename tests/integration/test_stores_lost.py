"""Stores that are away, slow, stale: what goes on, what is refused, and how it mends itself (S13, S16, S32)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from core.embedded import EmbeddedPostgres, Engines
from core.errors import HoldExpired, OnsaleError, OutcomeUnknown, SeatTaken, StoreUnavailable
from core.runtime import Runtime, open_runtime
from core.schema_postgres import migrate
from core.seats.board import SeatState
from core.settings import Settings
from core.upkeep.redis_watch_redis import RedisWatch
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from tests import topologies
from tests.booking import Bank, desk
from tests.conftest import MakeEvent, small_plan
from tests.waits import PATIENCE


async def _until_held(runtime: Runtime, event: Event, visitor: str, seat: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(StoreUnavailable):
                await runtime.waiting_room.join(event, visitor)
                await runtime.seats.hold(event, visitor, [seat])
                return
            await asyncio.sleep(0.1)


async def test_a_frozen_redis_hangs_nobody(settings: Settings, stores: Engines, make_event: MakeEvent) -> None:
    """A reply that takes for ever: refused after the bound, and well again without a restart."""
    event = await make_event(seats=200, active_limit=50)
    with contextlib.ExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, topologies.single())
        url = f"redis://127.0.0.1:{server.port}/0"
        async with open_runtime(settings, Engines(stores.database_url, url)) as runtime:
            await _until_held(runtime, event, "a", 0)
            assert server.process is not None
            os.kill(server.process.pid, signal.SIGSTOP)
            try:
                # More than the pipelines can carry at once: those behind must not wait for those in front.
                answers = await asyncio.wait_for(
                    asyncio.gather(
                        *(runtime.seats.hold(event, f"v{i}", [i % 200]) for i in range(600)), return_exceptions=True
                    ),
                    PATIENCE,
                )
            finally:
                os.kill(server.process.pid, signal.SIGCONT)
            assert {type(answer) for answer in answers} <= {StoreUnavailable, OutcomeUnknown}
            await _until_held(runtime, event, "b", 5)


async def test_a_redis_that_came_back_stale_is_mended(
    settings: Settings, stores: Engines, make_event: MakeEvent
) -> None:
    """Restarted from an old copy: it shows a sold seat as free. Nobody can buy it, and the watch puts it right."""
    event = await make_event()
    with contextlib.ExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, topologies.single())
        url = f"redis://127.0.0.1:{server.port}/0"
        async with open_runtime(settings, Engines(stores.database_url, url)) as runtime:

            async def mend() -> None:
                await runtime.reconcile.run(event)

            watch = RedisWatch(redis=runtime.redis, mend=mend)
            shop = desk(runtime, Bank())
            await runtime.waiting_room.join(event, "a")
            assert not await watch.run()
            server.client().save()  # the old copy
            await shop.ended(await shop.buy(event, "a", 0))
            # The task itself, not its row: its last step would come again after the restart and mend the seat.
            assert await shop.supervisor.drain(PATIENCE) == 0
            server.kill()
            assert not await watch.run()
            server.start()
            async with asyncio.timeout(PATIENCE):
                while True:
                    with contextlib.suppress(StoreUnavailable):
                        assert (await runtime.seats.board(event)).states[0] == SeatState.AVAILABLE  # stale
                        break
                    await asyncio.sleep(0.1)
            await runtime.waiting_room.join(event, "b")
            await runtime.seats.hold(event, "b", [0])
            with pytest.raises((HoldExpired, SeatTaken)):
                await shop.submit(event, "b")
            assert await watch.run()
            assert (await runtime.seats.board(event)).states[0] == SeatState.SOLD
            assert not await watch.run()
            await shop.supervisor.drain(10)


async def test_holds_go_on_without_postgresql(settings: Settings, stores: Engines, tmp_path: Path) -> None:
    """PostgreSQL away: queue and holds go on, checkout says no plainly, nothing is charged, all is well afterwards."""
    postgres = EmbeddedPostgres(tmp_path, durable=False)
    url = await asyncio.to_thread(postgres.start)
    try:
        await migrate(url)
        async with open_runtime(settings, Engines(url, stores.redis_url)) as runtime:
            event = await runtime.events.create(
                NewEvent(slug=f"pg-{os.getpid()}", name="Away", prices={"Standard": 1000}, status=SaleStatus.OPEN),
                small_plan(10),
            )
            bank = Bank()
            shop = desk(runtime, bank)
            await runtime.waiting_room.join(event, "a")
            await asyncio.to_thread(postgres.stop)
            seen = await runtime.events.get(event.slug)
            await runtime.waiting_room.join(seen, "b")
            await runtime.seats.hold(seen, "a", [0])
            await runtime.seats.hold(seen, "b", [1])
            with pytest.raises(StoreUnavailable):
                await shop.submit(seen, "a", key="first")
            assert bank.ledger == {}
            await asyncio.to_thread(postgres.start)
            async with asyncio.timeout(PATIENCE):
                while True:
                    try:
                        reservation = await shop.submit(seen, "a", key="second")
                        break
                    except OnsaleError:
                        await asyncio.sleep(0.2)
            await shop.over(await shop.pay(reservation))
            assert sum(entry.charged for entry in bank.ledger.values()) == 1
            await shop.supervisor.drain(10)
    finally:
        await asyncio.to_thread(postgres.stop)
