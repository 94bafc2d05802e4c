"""Rule 1's gate under a crowd: one seat, many askers, each guard; and a control that shows that the race is real."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core import keys
from core.errors import SeatTaken
from core.process.lua_redis import ScriptRunner
from core.runtime import Runtime, open_runtime
from core.seats.basket import Basket
from core.seats.composition import seat_scripts
from core.seats.guard_lock_redis import require_free
from tests.conftest import MakeEvent
from tests.live_server import PATIENCE

CROWD = 100


@pytest.mark.parametrize("guard", ["atomic", "lock", "optimistic"])
async def test_one_of_a_crowd_gets_the_seat(guard: str, settings: Any, stores: Any, make_event: MakeEvent) -> None:
    event = await make_event(active_limit=CROWD)
    # A lock that ends while its owner stands still keeps nobody out: here only the crowd is tried.
    changed = settings.model_copy(update={"seat_guard": guard, "lock_lease_seconds": PATIENCE})
    async with open_runtime(changed, stores) as runtime:
        visitors = [f"v{i}" for i in range(CROWD)]
        for visitor in visitors:
            await runtime.waiting_room.join(event, visitor)
        winners = await _crowd(visitors, lambda visitor: runtime.seats.hold(event, visitor, [0]))
        assert len(winners) == 1
        owner: Any = await runtime.redis.get(keys.seat_state(event.slug, 0))
        assert owner.decode().split("|")[0] == winners[0]


async def test_control_check_then_set_sells_twice(runtime: Runtime, make_event: MakeEvent) -> None:
    """Without a guard two visitors hold one seat: else the test above would prove nothing."""
    event = await make_event(active_limit=CROWD)
    visitors = [f"v{i}" for i in range(CROWD)]
    for visitor in visitors:
        await runtime.waiting_room.join(event, visitor)
    scripts = seat_scripts(runtime.settings, ScriptRunner(runtime.redis))

    all_have_looked = asyncio.Barrier(CROWD)

    async def unguarded(visitor: str) -> Basket:
        await require_free(runtime.redis, event, visitor, [0])
        async with asyncio.timeout(PATIENCE):
            await all_have_looked.wait()
        return await scripts.hold(event, visitor, [0], check=False)

    assert len(await _crowd(visitors, unguarded)) == CROWD


async def test_overlapping_baskets_never_share_a_seat(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(seats=20, active_limit=CROWD)
    visitors = [f"v{i}" for i in range(CROWD)]
    for visitor in visitors:
        await runtime.waiting_room.join(event, visitor)
    wanted = {visitor: [(i * 3 + k) % 20 for k in range(4)] for i, visitor in enumerate(visitors)}
    winners = await _crowd(visitors, lambda visitor: runtime.seats.hold(event, visitor, wanted[visitor]))
    held = [seat for visitor in winners for seat in wanted[visitor]]
    assert len(held) == len(set(held))
    board = await runtime.seats.board(event)
    assert sorted(held) == [i for i, state in enumerate(board.states) if state]


async def _crowd(visitors: list[str], hold: Any) -> list[str]:
    async def one(visitor: str) -> str | None:
        try:
            await hold(visitor)
        except SeatTaken:
            return None
        return visitor

    return [winner for winner in await asyncio.gather(*map(one, visitors)) if winner]
