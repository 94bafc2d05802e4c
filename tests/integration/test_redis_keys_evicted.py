"""One key of a sale is gone from Redis: what an eviction leaves behind (S11, S13; rules 1 and 3)."""

from __future__ import annotations

import asyncio

import pytest

from core import keys
from core.runtime import Runtime
from core.seats.board import SeatState
from core.waiting_room.place import PlaceState
from tests.booking import Bank, desk
from tests.conftest import MakeEvent
from tests.integration.interrupted_sale import HELD, PAID, Sale
from tests.sale_keys import sale_keys

pytestmark = pytest.mark.usefixtures("patient")


@pytest.mark.parametrize(
    "name",
    [
        "waiting_queue",
        "waiting_beats",
        "waiting_number",
        "waiting_spent",
        "queue_version",
        "active_users",
        "active_until",
        "active_paying",
        "holds",
        "baskets",
        "basket_deadlines",
        "pace",
        "board",
        "board_version",
        "fence",
        "epoch alone",
        "state of the held seat",
        "states of the paid seats",
        "everything",
    ],
)
async def test_whatever_is_evicted(name: str, runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(seats=8, active_limit=3)
    bank = Bank(gate=asyncio.Event())
    sale = Sale(runtime, event, desk(runtime, bank), bank)
    await sale.begin()
    slug, redis = event.slug, runtime.redis
    states = [keys.seat_state(slug, seat) for seat in range(8)]
    if name == "epoch alone":
        await redis.hdel(keys.board_version(slug), "epoch")
    elif name == "everything":
        await redis.delete(*sale_keys(slug), *states)
    elif name.startswith("state"):
        await redis.delete(*(states[seat] for seat in ((HELD,) if "held" in name else PAID)))
    else:
        assert await redis.delete(getattr(keys, name)(slug)) == (name != "active_paying" or 1)
    if name == "waiting_number":
        # A newcomer does not get in before those who wait.
        assert await sale.join("late") is PlaceState.WAITING
        sale.waiting = (*sale.waiting, "late")
    if name in ("board", "board_version", "epoch alone"):
        # What is held stays held, and who holds it can go on.
        await runtime.waiting_room.sweep(event)
        assert (await runtime.seats.board(event)).states[HELD] == SeatState.HELD
        basket = await runtime.seats.basket(event, "holder")
        assert basket is not None
        assert basket.seats == (HELD,)
    if name == "active_until":
        await runtime.waiting_room.sweep(event)
        assert (await runtime.seats.hold(event, "sitter", [4])).seats == (4,)
    if name == "active_users":
        # Whose session has not ended is inside again, also when others asked first.
        await runtime.waiting_room.beat(event, ["sitter"])
        assert await sale.join("sitter") is PlaceState.ACTIVE
    await sale.is_well()
