"""F6: who is absent keeps the place for ten minutes in which the service answered, then is behind those who stayed."""

from __future__ import annotations

from typing import Any

import pytest

from core import keys
from core.runtime import Runtime
from core.venue.event import Event
from tests.conftest import MakeEvent
from tests.sale_keys import sale_keys

pytestmark = pytest.mark.usefixtures("patient")

GRACE, PATIENCE = 120, 600


@pytest.fixture
async def event(make_event: MakeEvent, runtime: Runtime) -> Event:
    """One is in, and the others wait."""
    event = await make_event(active_limit=1)
    await runtime.waiting_room.join(event, "in")
    return event


async def pass_time(runtime: Runtime, event: Event, seconds: float, *present: str, answering: bool = True) -> None:
    """Everybody but those present is silent for so long; the sweep runs all the while, or does not."""
    slug = event.slug
    calls: Any = runtime.redis
    step = 20 if answering else seconds
    while seconds > 0:
        ms = int(min(step, seconds) * 1000)
        seconds -= step
        for name in (keys.waiting_beats(slug), keys.active_users(slug)):
            for visitor, score in await calls.zrange(name, 0, -1, withscores=True):
                await calls.zadd(name, {visitor: score - ms})
        at = await calls.hget(keys.pace(slug), "at")
        if at is not None:
            await calls.hset(keys.pace(slug), "at", int(at) - ms)
        amnesty = await calls.hget(keys.pace(slug), "amnesty")
        if amnesty is not None:
            await calls.hset(keys.pace(slug), "amnesty", int(amnesty) - ms)
        await runtime.waiting_room.beat(event, ["in", *present])
        await runtime.waiting_room.sweep(event)


async def queue(runtime: Runtime, event: Event, *visitors: str) -> dict[str, str]:
    await runtime.waiting_room.sweep(event)
    tickets = {}
    for visitor in visitors:
        place = await runtime.waiting_room.join(event, visitor)
        tickets[visitor] = runtime.waiting_room.ticket_of(event, visitor, place)
    return tickets


async def ahead(runtime: Runtime, event: Event, visitor: str, ticket: str | None = None) -> int:
    return (await runtime.waiting_room.join(event, visitor, ticket)).ahead


async def figures(runtime: Runtime, event: Event) -> tuple[int, int]:
    calls: Any = runtime.redis
    back, late = await calls.hmget(keys.pace(event.slug), ["came_back", "came_late"])
    return int(back or 0), int(late or 0)


async def test_nine_minutes_keep_the_place(runtime: Runtime, event: Event) -> None:
    tickets = await queue(runtime, event, "absent", "stays")
    await pass_time(runtime, event, 540, "stays")
    assert await runtime.waiting_room.place(event, "absent") is None
    assert await ahead(runtime, event, "absent", tickets["absent"]) == 0
    assert await figures(runtime, event) == (1, 0)


async def test_eleven_minutes_do_not(runtime: Runtime, event: Event) -> None:
    tickets = await queue(runtime, event, "absent", "stays")
    await pass_time(runtime, event, 680, "stays")
    assert await ahead(runtime, event, "absent", tickets["absent"]) == 1
    # Once more with the old ticket: it is used up for good.
    await runtime.waiting_room.leave(event, "absent")
    assert await ahead(runtime, event, "absent", tickets["absent"]) == 1
    assert await figures(runtime, event) == (0, 1)


async def test_time_in_which_the_service_did_not_answer_does_not_count(runtime: Runtime, event: Event) -> None:
    tickets = await queue(runtime, event, "absent", "stays")
    await pass_time(runtime, event, 300, "stays")
    await pass_time(runtime, event, 3600, "stays", answering=False)
    await pass_time(runtime, event, 100, "stays")
    assert await ahead(runtime, event, "absent", tickets["absent"]) == 0


@pytest.mark.parametrize(("minutes", "place"), [(8, 0), (11, 1)])
async def test_after_a_loss_of_redis_old_numbers_count_as_long_again(
    runtime: Runtime, event: Event, minutes: int, place: int
) -> None:
    tickets = await queue(runtime, event, "absent", "stays")
    await runtime.redis.delete(*sale_keys(event.slug))
    await runtime.waiting_room.join(event, "in")
    await runtime.waiting_room.join(event, "stays", tickets["stays"])
    await runtime.waiting_room.sweep(event)
    await pass_time(runtime, event, 60 * minutes, "stays")
    assert await ahead(runtime, event, "absent", tickets["absent"]) == place


async def test_a_board_that_was_built_anew_takes_no_place(runtime: Runtime, event: Event) -> None:
    """Numbers of the epoch before are still in the queue: who is silent for a while comes back to one of them."""
    await queue(runtime, event, "stays")
    await pass_time(runtime, event, 700, "stays")
    tickets = await queue(runtime, event, "absent")
    await runtime.redis.delete(keys.board(event.slug), keys.board_version(event.slug))
    await runtime.seats.ensure_board(event)
    await pass_time(runtime, event, 200, "stays")
    assert await runtime.waiting_room.place(event, "absent") is None
    later = await queue(runtime, event, "later")
    assert later
    assert await ahead(runtime, event, "absent", tickets["absent"]) == 1
