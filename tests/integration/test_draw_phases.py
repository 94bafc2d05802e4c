"""Draws of a sale in parts (F1, F7): each part has its own, behind who is queued already, and one is made at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core import keys
from core.clock import iso
from core.embedded import Engines
from core.errors import CodeNotValid, CodeRequired, SaleNotOpen, StoreUnavailable
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import DrawState, Event
from core.venue.phase import Phase
from core.waiting_room.place import PlaceState
from tests.booking import rows
from tests.conftest import MakeEvent
from tests.integration.test_draw_beacon import Drand, drand
from tests.integration.test_draw_redis import checked, enter, gathering
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient")

__all__ = ["drand"]


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


async def test_a_phases_draw_stands_behind_who_is_queued_already(runtime: Runtime, make_event: MakeEvent) -> None:
    """F1, F7: two parts, each with a draw of its own. Who waits from the first one keeps the place, and is refused at
    the hold without what the second one wants.
    """
    first = Phase("first", now() + timedelta(seconds=600), None, 900)
    event = await gathering(make_event, phases=(first,), opens_at=None, active_limit=1)
    entered = await enter(runtime, event, *"abcd")
    first = replace(first, opens_at=datetime.now(UTC))
    await runtime.events.update(event.slug, phases=(first,))
    await drawn(runtime, event, "first")
    event = await runtime.events.fresh(event.slug)
    before = {visitor: await number(runtime, event, visitor) for visitor in "abcd"}
    assert sorted(before.values()) == [1, 2, 3, 4]

    # The first part is over; people gather for the second one, which wants a code.
    over = replace(first, opens_at=now() - timedelta(seconds=60), closes_at=now() - timedelta(seconds=1))
    second = Phase("second", now() + timedelta(seconds=600), None, 900, code_group="fans")
    event = await runtime.events.update(event.slug, phases=(over, second))
    codes = await runtime.codes.make(event, "fans", 3)
    event = await runtime.events.fresh(event.slug)
    late = {}
    for visitor, code in zip("xyz", codes, strict=True):
        place = await runtime.waiting_room.join(event, visitor, code=code)
        assert place.entry is not None
        late[visitor] = place.entry.receipt
    for visitor in "abcd":
        assert await number(runtime, event, visitor) == before[visitor], "gathering moves nobody"
    second = replace(second, opens_at=datetime.now(UTC))
    await runtime.events.update(event.slug, phases=(over, second))
    await drawn(runtime, event, "second")
    event = await runtime.events.fresh(event.slug)
    order = await checked(runtime, event)
    assert sorted(order) == sorted(late.values())
    assert {visitor: await number(runtime, event, visitor) for visitor in "abcd"} == before
    assert [await number(runtime, event, visitor) for visitor in sorted(late, key=lambda v: order.index(late[v]))] == [
        5,
        6,
        7,
    ]
    row = await runtime.draws.shown(event, "first")
    assert row is not None
    assert sorted(await runtime.draws.receipts(row.id)) == sorted(receipt for receipt, _ in entered.values()), "kept"
    inside = next(visitor for visitor, place in before.items() if place == 1)
    with pytest.raises(CodeRequired):
        await runtime.seats.hold(event, inside, [0])
    for visitor in "abcd":
        await runtime.waiting_room.leave(event, visitor)
    head = next(visitor for visitor in late if late[visitor] == order[0])
    await runtime.seats.hold(event, head, [0])


async def test_a_beacon_that_does_not_answer_keeps_no_other_draw_of_the_sale(
    settings: Settings, stores: Engines, make_event: MakeEvent, drand: Drand
) -> None:
    """F2: the next part's draw cannot be announced; the one that is due, which has no beacon, happens."""
    first = Phase("first", now() + timedelta(seconds=600), now() + timedelta(seconds=900), 900)
    second = Phase("second", now() + timedelta(seconds=1200), None, 900)
    async with open_runtime(settings, stores) as runtime:
        event = await gathering(make_event, phases=(first,), opens_at=None, active_limit=1)
        await enter(runtime, event, *"abc")
    drand.silent = True
    async with open_runtime(settings.model_copy(update={"beacon_url": drand.url}), stores) as runtime:
        first = replace(first, opens_at=now() - timedelta(seconds=1))
        await runtime.events.update(event.slug, phases=(first, second))
        await rows(runtime, "UPDATE draws SET draw_at = $2 WHERE event_id = $1", event.id, first.opens_at)
        async with asyncio.timeout(PATIENCE):
            while (row := await runtime.draws.shown(event, "first")) is None or not row.told:
                with pytest.raises(StoreUnavailable):
                    await runtime.drawing.run()
        assert sorted([await number(runtime, event, visitor) for visitor in "abc"]) == [1, 2, 3]


async def drawn(runtime: Runtime, event: Event, phase: str) -> None:
    """This phase's draw, to its end."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await runtime.drawing.run()
            row = await runtime.draws.shown(event, phase)
            if row is not None and row.told:
                return
            await asyncio.sleep(0.02)


async def two_parts(runtime: Runtime, make_event: MakeEvent, open_for: str | None, to_come: str | None) -> Event:
    """One part is open, and people gather for the other; each for everybody, or for a group of codes."""
    first = Phase("first", now() - timedelta(hours=1), now() + timedelta(seconds=600), 0, code_group=open_for)
    second = Phase("second", now() + timedelta(seconds=600), None, 900, code_group=to_come)
    return await gathering(make_event, phases=(first, second), opens_at=None, active_limit=1)


async def test_who_may_come_in_now_is_not_made_to_gather(runtime: Runtime, make_event: MakeEvent) -> None:
    """A presale for codes is open, and everybody gathers for the general sale: who has a code still buys."""
    event = await two_parts(runtime, make_event, "fans", None)
    code, other = await runtime.codes.make(event, "fans", 2)
    event = await runtime.events.fresh(event.slug)
    assert (await runtime.waiting_room.join(event, "everybody")).state is PlaceState.ENTERED
    assert (await runtime.waiting_room.join(event, "fan", code=code)).state is PlaceState.ACTIVE
    await runtime.seats.hold(event, "fan", [0])
    # Who gathered first, and gives the code then: a place, and no entry besides.
    event = await runtime.events.fresh(event.slug)
    assert (await runtime.waiting_room.join(event, "late")).state is PlaceState.ENTERED
    came = await runtime.waiting_room.join(event, "late", code=other)
    assert (came.state, came.ahead) == (PlaceState.WAITING, 0)
    assert not await runtime.redis.hexists(keys.entries(event.slug), "late")
    assert await runtime.redis.zscore(keys.entry_beats(event.slug), "late") is None
    with pytest.raises(CodeNotValid):
        await runtime.waiting_room.join(event, "guesses", code="WRONG-WRONG")
    event = await second_opens(runtime, event)
    assert await number(runtime, event, "late") < await number(runtime, event, "everybody")


async def test_who_has_a_code_for_what_is_to_come_gathers_for_it(runtime: Runtime, make_event: MakeEvent) -> None:
    """Everybody may buy, and those with a code gather for a part of their own."""
    event = await two_parts(runtime, make_event, None, "club")
    (code,) = await runtime.codes.make(event, "club", 1)
    event = await runtime.events.fresh(event.slug)
    assert (await runtime.waiting_room.join(event, "everybody")).state is PlaceState.ACTIVE
    assert (await runtime.waiting_room.join(event, "member", code=code)).state is PlaceState.ENTERED


async def second_opens(runtime: Runtime, event: Event) -> Event:
    first, second = event.phases
    over = replace(first, closes_at=now() - timedelta(seconds=1))
    await runtime.events.update(event.slug, phases=(over, replace(second, opens_at=datetime.now(UTC))))
    await drawn(runtime, event, "second")
    return await runtime.events.fresh(event.slug)


async def test_who_is_silent_while_others_gather_comes_back_to_the_place(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """F6: the ticket is of the first part's draw, or of a place in it; it is no entry for the second one."""
    first = Phase("first", now() + timedelta(seconds=600), None, 900)
    event = await gathering(make_event, phases=(first,), opens_at=None, active_limit=1)
    entered = await enter(runtime, event, *"abcd")
    await runtime.events.update(event.slug, phases=(replace(first, opens_at=datetime.now(UTC)),))
    await drawn(runtime, event, "first")
    event = await runtime.events.fresh(event.slug)
    before = {visitor: await number(runtime, event, visitor) for visitor in "abcd"}
    waiting = sorted(before, key=lambda visitor: before[visitor])[1:]
    place = await runtime.waiting_room.place(event, waiting[0])
    assert place is not None
    ticket = runtime.waiting_room.ticket_of(event, waiting[0], place)
    over = replace(first, opens_at=now() - timedelta(seconds=60), closes_at=now() - timedelta(seconds=1))
    second = Phase("second", now() + timedelta(seconds=600), None, 900)
    event = await runtime.events.update(event.slug, phases=(over, second))
    silent_since = (runtime.clock.now() - timedelta(seconds=200)).timestamp() * 1000
    await runtime.redis.zadd(keys.waiting_beats(event.slug), dict.fromkeys(waiting, silent_since))
    await runtime.waiting_room.sweep(event)
    assert await runtime.waiting_room.place(event, waiting[0]) is None
    for visitor, kept in ((waiting[0], ticket), (waiting[1], entered[waiting[1]][1])):
        back = await runtime.waiting_room.join(await runtime.events.fresh(event.slug), visitor, kept)
        assert (back.state, back.number) == (PlaceState.WAITING, before[visitor])
    # Without the ticket it is an entry, and the ticket brings the place back still.
    there = await runtime.waiting_room.join(await runtime.events.fresh(event.slug), waiting[2])
    assert there.state is PlaceState.ENTERED
    assert await runtime.redis.zscore(keys.silent(event.slug), waiting[2]) is not None
    new = await runtime.waiting_room.join(await runtime.events.fresh(event.slug), "new")
    assert new.state is PlaceState.ENTERED


async def test_the_next_parts_draw_waits_for_the_one_that_is_being_made(
    settings: Settings, stores: Engines, make_event: MakeEvent, drand: Drand
) -> None:
    """The first one's beacon has not spoken, and people begin to gather for the second: no entry of the first is lost,
    and nobody comes in before its order is known.
    """
    async with open_runtime(settings.model_copy(update={"beacon_url": drand.url}), stores) as runtime:
        first = Phase("first", now() + timedelta(seconds=600), None, 900)
        second = Phase("second", now() + timedelta(seconds=1200), None, 3000, code_group="club")
        event = await gathering(make_event, phases=(first, second), opens_at=None, active_limit=1)
        code, second_code, third_code = await runtime.codes.make(event, "club", 3)
        entered = await enter(runtime, event, *"abcd")
        drand.silent = False
        await runtime.events.update(event.slug, phases=(replace(first, opens_at=datetime.now(UTC)), second))
        drand.silent = True
        event = await runtime.events.fresh(event.slug)
        for _ in range(4):
            await runtime.drawing.run()
            await runtime.waiting_room.sweep(event)
        row = await runtime.draws.shown(event, "first")
        assert row is not None
        assert row.state is DrawState.FROZEN, "it waits for its beacon"
        event = await runtime.events.fresh(event.slug)
        for visitor in "abcd":
            place = await runtime.waiting_room.place(event, visitor)
            assert place is not None
            assert place.entry is not None
            assert place.entry.receipt == entered[visitor][0]
        late = await runtime.waiting_room.join(event, "late")
        assert late.state is PlaceState.WAITING
        with pytest.raises(StoreUnavailable, match="The part before has no order yet"):
            await runtime.waiting_room.join(event, "member", code=code)
        again = await runtime.waiting_room.join(event, "late", code=second_code)
        assert (again.state, again.number) == (late.state, late.number), "who has a place loads the page again"
        entry = await runtime.waiting_room.join(event, "a", code=third_code)
        assert entry.entry is not None
        assert entry.entry.receipt == entered["a"][0]
        old = event

        drand.silent, drand.ahead = False, 3600.0
        await drawn(runtime, event, "first")
        event = await runtime.events.fresh(event.slug)
        numbers = {visitor: await number(runtime, event, visitor) for visitor in "abcd"}
        assert sorted(numbers.values()) == [1, 2, 3, 4]
        assert (await runtime.waiting_room.join(event, "member", code=code)).state is PlaceState.ENTERED
        assert {visitor: await number(runtime, event, visitor) for visitor in "abcd"} == numbers
        # A process that has not heard of it yet.
        with pytest.raises(StoreUnavailable):
            await runtime.waiting_room.join(old, "other")
        assert old.opening is not None
        assert await runtime.drawing._entries.freeze_if_due(old, old.opening) is not None
        member = await runtime.waiting_room.place(event, "member")
        assert member is not None
        assert member.state is PlaceState.ENTERED, "who gathers for the next part stays"


async def test_nobody_gathers_for_a_part_before_the_part_before_has_opened(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """F1, F7: the general sale's pre-queue is longer than the time since the presale opens."""
    presale = Phase("presale", now() + timedelta(hours=2), None, 900)
    general = Phase("general", now() + timedelta(hours=26), None, 2 * 24 * 3600)
    event = await gathering(make_event, phases=(presale, general), opens_at=None)
    with pytest.raises(SaleNotOpen) as refused:
        await runtime.waiting_room.join(event, "early")
    assert refused.value.data["gathers_at"] == iso(presale.opens_at - timedelta(seconds=900))
    presale = replace(presale, opens_at=now() + timedelta(seconds=600))
    await runtime.events.update(event.slug, phases=(presale, general))
    entered = await enter(runtime, event, *"abc")
    for _ in range(3):
        await runtime.drawing.run()
    await runtime.events.update(event.slug, phases=(replace(presale, opens_at=datetime.now(UTC)), general))
    await drawn(runtime, event, "presale")
    row = await runtime.draws.shown(event, "presale")
    assert row is not None
    assert sorted(await runtime.draws.receipts(row.id)) == sorted(receipt for receipt, _ in entered.values())


async def test_a_part_that_is_put_before_leaves_who_has_gathered(runtime: Runtime, make_event: MakeEvent) -> None:
    """F1: they gathered for what was the next opening; the new one's draw is announced, and takes nobody's entry."""
    later = Phase("later", now() + timedelta(seconds=1200), None, 3600)
    event = await gathering(make_event, phases=(later,), opens_at=None)
    await enter(runtime, event, *"ab")
    first = Phase("first", now() + timedelta(seconds=900), None, 60)
    await runtime.events.update(event.slug, phases=(first, later))
    for _ in range(3):
        await runtime.drawing.run()
    event = await runtime.events.fresh(event.slug)
    assert event.opening is not None
    assert event.opening.phase == "first"
    for visitor in "ab":
        place = await runtime.waiting_room.place(event, visitor)
        assert place is not None
        assert place.state is PlaceState.ENTERED


async def number(runtime: Runtime, event: Event, visitor: str) -> int:
    place = await runtime.waiting_room.place(event, visitor)
    assert place is not None
    return place.number
