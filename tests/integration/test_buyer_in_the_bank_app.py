"""A phone in the bank's app is silent for minutes: seats, place and payment stay until the time to pay is over (P3,
rule 5).
"""

from __future__ import annotations

from typing import Any

import pytest

from core import keys
from core.runtime import Runtime
from core.seats.board import SeatState
from core.upkeep.reconcile_rounds import ReconcileRounds
from core.venue.event import Event
from core.waiting_room.place import PlaceState
from tests.booking import (
    Bank,
    all_free,
    check_books,
    desk,
    finish_all,
    pass_time,
    rows,
)
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient", "alone")


async def away(runtime: Runtime, event: Event, seconds: float) -> None:
    """So many seconds have passed for everybody in the sale, and no browser was heard: all that Redis counts by is so
    much nearer to its end.
    """
    slug, millis = event.slug, seconds * 1000
    for key in (
        keys.active_users(slug),
        keys.active_until(slug),
        keys.active_paying(slug),
        keys.basket_deadlines(slug),
        keys.holds(slug),
    ):
        scores: Any = await runtime.redis.zrange(key, 0, -1, withscores=True)
        for member, score in scores:
            await runtime.redis.zadd(key, {member: score - millis})
    for ordinal in range(20):
        left = await runtime.redis.pttl(keys.seat_state(slug, ordinal))
        if left > 0:
            await runtime.redis.pexpire(keys.seat_state(slug, ordinal), max(1, int(left - millis)))
    for row in await rows(runtime, "SELECT id FROM reservations WHERE event_id = $1 AND status = 'PAYING'", event.id):
        await pass_time(runtime, row["id"], seconds)


async def test_seats_and_visitor_stay_while_the_buyer_is_in_the_banks_app(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """P3: a phone that left for the window is silent for five minutes, and for the whole time to pay; grace, session
    and hold are long over. Who only holds seats is out meanwhile, and the seats are free.
    """
    event, bank = await make_event(hold_seconds=60), Bank()
    at = desk(runtime, bank, retry_seconds=60.0)
    begun = await at.order(event, "phone", 3)
    await at.basket(event, "idler", 5)
    # They came in long ago: their sessions end while the phone is in the window.
    for visitor in ("phone", "idler"):
        await runtime.redis.zincrby(keys.active_until(event.slug), -500_000, visitor)
    room = runtime.waiting_room
    rounds = ReconcileRounds(
        events=runtime.events,
        reconcile=runtime.reconcile,
        every_minutes=10,
        full_every=6,
        clock=runtime.clock,
        database=runtime.database,
    )

    async def looked_after() -> bytes:
        """All that frees seats and puts visitors out has had its turn."""
        # The first sweep after a silence of everybody gives them a grace to be heard: that is over as well.
        await room.sweep(event)
        await runtime.redis.hdel(keys.pace(event.slug), "amnesty")
        await room.sweep(event)
        await rounds.paying()
        await runtime.reconcile.run(event)
        await at.checkout.finish_due()
        return bytes((await runtime.seats.board(event)).states[:6])

    await away(runtime, event, 300)
    assert await looked_after() == bytes([0, 0, 0, SeatState.HELD, 0, 0])
    assert await room.place(event, "idler") is None, "the control: silence counts"
    place = await room.place(event, "phone")
    assert place is not None
    assert place.state is PlaceState.ACTIVE
    now = await at.now(begun)
    assert now.payment is not None
    assert (now.status, now.payment.state) == ("PAYING", "OPEN")

    # The time to pay is over, and the minute for a return that is on its way is not, whatever this machine adds.
    await away(runtime, event, 420 - 300 + 20)
    assert await looked_after() == bytes([0, 0, 0, SeatState.HELD, 0, 0])
    assert await room.place(event, "phone") is not None
    # The window was approved at last: the ticket.
    assert (await at.ended(await at.pay(begun))).status == "CONFIRMED"
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_when_the_time_to_pay_is_over_seats_and_place_are_given_up(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """P3: the protection has an end."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "phone", 3)
    await away(runtime, event, 420 + 61)
    await finish_all(at, event)
    ended = await at.ended(begun)
    assert (ended.status, ended.reason) == ("FAILED", "payment_window_ended")
    assert await all_free(runtime, event)
    await runtime.waiting_room.sweep(event)
    await runtime.redis.hdel(keys.pace(event.slug), "amnesty")
    await runtime.waiting_room.sweep(event)
    assert await runtime.waiting_room.place(event, "phone") is None
