"""The pre-queue and the draw on real stores: F1, F2; before, in and after a loss of Redis, and of who draws."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from core import keys
from core.embedded import Engines
from core.errors import SaleNotOpen
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import DrawState, Event, SaleStatus
from core.waiting_room import draw, entries_redis
from core.waiting_room.draw import PublishedDraw
from core.waiting_room.entries_redis import Entries
from core.waiting_room.place import PlaceState
from tests.booking import Killed
from tests.conftest import MakeEvent
from tests.waits import PATIENCE, soon, until

pytestmark = pytest.mark.usefixtures("patient")


async def gathering(make_event: MakeEvent, seconds: float = 600, **changes: Any) -> Event:
    fields = {"status": SaleStatus.SCHEDULED, "opens_at": soon(seconds), "prequeue_seconds": 900, "active_limit": 2}
    return await make_event(**(fields | changes))


async def enter(runtime: Runtime, event: Event, *visitors: str) -> dict[str, tuple[str, str]]:
    """visitor -> (receipt, ticket)."""
    entered = {}
    for visitor in visitors:
        fresh = await runtime.events.fresh(event.slug)
        place = await runtime.waiting_room.join(fresh, visitor)
        assert place.state is PlaceState.ENTERED, place
        assert place.entry is not None
        entered[visitor] = (place.entry.receipt, runtime.waiting_room.ticket_of(fresh, visitor, place))
    return entered


async def opened(runtime: Runtime, event: Event) -> Event:
    """The opening is now."""
    await runtime.events.update(event.slug, opens_at=datetime.now(UTC))
    row = await runtime.draws.shown(event)
    assert row is not None
    async with asyncio.timeout(PATIENCE):
        while not row.told:
            await runtime.drawing.run()
            row = await runtime.draws.shown(event)
            assert row is not None
            await asyncio.sleep(0.02)
    return await runtime.events.fresh(event.slug)


async def checked(runtime: Runtime, event: Event) -> list[str]:
    """The published order, after it was recomputed."""
    row = await runtime.draws.shown(event)
    assert row is not None
    assert row.told
    order = await runtime.draws.receipts(row.id)
    about = PublishedDraw(
        draw.ALGORITHM, row.commitment, row.seed.hex(), row.root or "", row.count, row.beacon_value or ""
    )
    assert draw.differences(about, order) == []
    return order


async def test_who_gathers_is_drawn_and_who_comes_later_stands_behind(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await gathering(make_event)
    visitors = [f"v{n}" for n in range(12)]
    entered = await enter(runtime, event, *visitors)
    announced = await runtime.draws.shown(event)
    assert announced is not None
    assert announced.state is DrawState.ANNOUNCED
    event = await opened(runtime, event)
    order = await checked(runtime, event)
    assert sorted(order) == sorted(receipt for receipt, _ in entered.values())
    late = await runtime.waiting_room.join(event, "late")
    places = {visitor: await runtime.waiting_room.place(event, visitor) for visitor in visitors}
    number_of = {entered[visitor][0]: place.number for visitor, place in places.items() if place}
    assert [number_of[receipt] for receipt in order] == list(range(1, 13))
    assert late.number == 13
    inside = {visitor for visitor, place in places.items() if place and place.state is PlaceState.ACTIVE}
    assert inside == {visitor for visitor in visitors if entered[visitor][0] in order[:2]}
    assert draw.commitment(announced.seed) == announced.commitment
    row = await runtime.draws.shown(event)
    assert row is not None
    assert (row.commitment, row.seed) == (announced.commitment, announced.seed)


async def test_who_is_let_in_with_the_draw_was_promised_no_wait(runtime: Runtime, make_event: MakeEvent) -> None:
    """F9: only who has to wait is told how long, and for how long those take who come in before: three sessions, two by
    two, for the last of eight."""
    event = await gathering(make_event)
    await enter(runtime, event, *(f"v{n}" for n in range(8)))
    event = await opened(runtime, event)
    assert await runtime.waiting_room.past_waits(event) == []
    promised = await cast(Any, runtime.redis.hgetall(keys.shares(event.slug)))
    expected = [int(told.split(b"|")[1]) for name, told in promised.items() if name.startswith(b"w|")]
    session = int(runtime.settings.session_seconds)
    assert sorted(expected) == [session, session, 2 * session, 2 * session, 3 * session, 3 * session]


async def test_an_entry_is_the_same_however_often_one_joins(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await gathering(make_event)
    first = await enter(runtime, event, "a", "b")
    again = await enter(runtime, event, "a")
    assert again["a"][0] == first["a"][0]
    place = await runtime.waiting_room.place(await runtime.events.fresh(event.slug), "a")
    assert place is not None
    assert place.entry is not None
    assert (place.entry.receipt, place.entry.entered) == (first["a"][0], 2)


async def test_the_browsers_nonce_is_in_the_receipt(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await gathering(make_event)
    nonce = "0123456789abcdef" * 2
    place = await runtime.waiting_room.join(event, "a", None, nonce)
    assert place.entry is not None
    assert place.entry.receipt == draw.receipt(nonce, place.entry.salt)


async def test_nobody_gathers_before_the_pre_queue_and_none_without_one(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    far = await gathering(make_event, 3600)
    with pytest.raises(SaleNotOpen) as refused:
        await runtime.waiting_room.join(far, "a")
    assert refused.value.data["gathers_at"]
    without = await gathering(make_event, 600, prequeue_seconds=0)
    with pytest.raises(SaleNotOpen):
        await runtime.waiting_room.join(without, "a")


async def test_silent_entries_are_out(runtime: Runtime, make_event: MakeEvent) -> None:
    """An entry counts only while it beats; its ticket brings the same one back in time."""
    event = await gathering(make_event)
    entered = await enter(runtime, event, "awake", "asleep", "back")
    room = runtime.waiting_room
    event = await runtime.events.fresh(event.slug)
    await room.sweep(event)
    silent_since = (runtime.clock.now() - timedelta(minutes=10)).timestamp() * 1000
    await runtime.redis.zadd(keys.entry_beats(event.slug), dict.fromkeys(entered, silent_since), xx=True)
    await room.beat(event, ["awake"])
    await room.sweep(event)
    assert [await room.place(event, visitor) is None for visitor in ("asleep", "back")] == [True, True]
    assert await room.beat(event, ["asleep", "awake"]) == {"asleep": "heartbeat"}
    place = await room.join(event, "back", entered["back"][1])
    assert place.entry is not None
    assert place.entry.receipt == entered["back"][0]
    event = await opened(runtime, event)
    assert sorted(await checked(runtime, event)) == sorted([entered["awake"][0], entered["back"][0]])


async def test_who_leaves_is_not_drawn(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await gathering(make_event)
    entered = await enter(runtime, event, "a", "b")
    assert await runtime.waiting_room.leave(event, "a")
    event = await opened(runtime, event)
    assert await checked(runtime, event) == [entered["b"][0]]
    assert await runtime.waiting_room.place(event, "a") is None


async def test_an_opening_by_hand_draws_at_once(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await gathering(make_event, 600)
    entered = await enter(runtime, event, "a", "b", "c")
    await runtime.events.set_status(event.slug, SaleStatus.OPEN)
    async with asyncio.timeout(PATIENCE):
        while (await runtime.events.fresh(event.slug)).opening is not None:
            await runtime.drawing.run()
    assert sorted(await checked(runtime, event)) == sorted(receipt for receipt, _ in entered.values())


@pytest.mark.parametrize("changes", [None, {"opens_at": soon(-1)}], ids=["by hand", "moved into the past"])
async def test_who_comes_before_the_draw_knows_that_it_is_opened_stands_before_nobody(
    runtime: Runtime, make_event: MakeEvent, changes: dict[str, Any] | None
) -> None:
    """Rule 4: until the job looks, the draw is set for the old time. Who comes is one of those who are there."""
    event = await gathering(make_event, 600)
    entered = await enter(runtime, event, "a", "b", "c")
    if changes is None:
        await runtime.events.set_status(event.slug, SaleStatus.OPEN)
    else:
        await runtime.events.update(event.slug, **changes)
    entered |= await enter(runtime, event, "late", "a")
    async with asyncio.timeout(PATIENCE):
        while (await runtime.events.fresh(event.slug)).opening is not None:
            await runtime.drawing.run()
    order = await checked(runtime, event)
    event = await runtime.events.fresh(event.slug)
    places = [await runtime.waiting_room.place(event, visitor) for visitor in entered]
    number_of = {receipt: place.number for (receipt, _), place in zip(entered.values(), places, strict=True) if place}
    assert [number_of[receipt] for receipt in order] == [1, 2, 3, 4]


@pytest.mark.parametrize("frozen", [False, True], ids=["before its time", "when Redis has frozen them"])
async def test_who_gathered_for_an_opening_that_is_taken_away_is_told_and_holds_up_nobody(
    runtime: Runtime, make_event: MakeEvent, frozen: bool
) -> None:
    """Rules 4 and 10: without a draw nobody waits for its order, neither then nor at the time that it had."""
    event = await gathering(make_event, 600, active_limit=9)
    entered = await enter(runtime, event, "a", "b", "c")
    if frozen:
        event = await runtime.events.fresh(event.slug)
        assert event.opening is not None
        due = replace(event.opening, draw_at=soon(-1))
        assert await runtime.drawing._entries.freeze_if_due(event, due) is not None
    event = await runtime.events.update(event.slug, opens_at=soon(-1), prequeue_seconds=0)
    await runtime.drawing.run()
    event = await runtime.events.fresh(event.slug)
    assert event.opening is None
    room = runtime.waiting_room
    assert [await room.place(event, visitor) for visitor in entered] == [None, None, None]
    await room.sweep(event)
    assert await room.beat(event, ["a"]) == {"a": "heartbeat"}, "the page joins anew by itself"
    assert await runtime.redis.exists(keys.entries(event.slug), keys.entry_beats(event.slug)) == 0
    assert (await room.join(event, "late")).state is PlaceState.ACTIVE
    for visitor, (_, ticket) in entered.items():
        assert (await room.join(event, visitor, ticket)).state is PlaceState.ACTIVE
    await room.sweep(event)
    assert (await room.join(event, "later")).state is PlaceState.ACTIVE


async def test_between_the_opening_and_the_draw_nobody_is_let_in(runtime: Runtime, make_event: MakeEvent) -> None:
    """Rule 4: the order is the draw's for who was there; who comes in that moment stands behind."""
    event = await gathering(make_event)
    await enter(runtime, event, "a", "b", "c")
    await runtime.events.update(event.slug, opens_at=datetime.now(UTC))
    event = await runtime.events.fresh(event.slug)
    assert event.opening is not None
    await runtime.draws.announce(event, event.openings[0])
    event = await runtime.events.fresh(event.slug)
    late = await runtime.waiting_room.join(event, "late")
    assert late.state is PlaceState.WAITING
    assert late.number == 4
    await runtime.waiting_room.sweep(event)
    place = await runtime.waiting_room.place(event, "late")
    assert place is not None
    assert place.state is PlaceState.WAITING
    event = await opened(runtime, event)
    numbers = [(await runtime.waiting_room.place(event, visitor)).number for visitor in "abc"]  # type: ignore[union-attr]
    assert sorted(numbers) == [1, 2, 3]


async def test_redis_lost_while_people_gather(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await gathering(make_event)
    entered = await enter(runtime, event, "a", "b", "c")
    await forget(runtime, event)
    for visitor in "ca":
        fresh = await runtime.events.fresh(event.slug)
        place = await runtime.waiting_room.join(fresh, visitor, entered[visitor][1])
        assert place.entry is not None
        assert place.entry.receipt == entered[visitor][0]
    event = await opened(runtime, event)
    assert sorted(await checked(runtime, event)) == sorted(entered[visitor][0] for visitor in "ac")


async def test_redis_lost_between_freeze_and_draw(runtime: Runtime, make_event: MakeEvent) -> None:
    """PostgreSQL has who takes part: everybody gets the drawn number by the ticket, whenever they are back."""
    event = await gathering(make_event)
    entered = await enter(runtime, event, *"abcde")
    row = await runtime.draws.shown(event)
    assert row is not None
    await runtime.draws.freeze(
        row.id, [receipt for receipt, _ in entered.values()], base=0, reserved=5, now=datetime.now(UTC)
    )
    await forget(runtime, event)
    fresh = await runtime.events.fresh(event.slug)
    for visitor in "db":
        place = await runtime.waiting_room.join(fresh, visitor, entered[visitor][1])
        assert place.state is PlaceState.ENTERED
    event = await opened(runtime, event)
    order = await checked(runtime, event)
    assert len(order) == 5
    for visitor in "abcde":
        place = await runtime.waiting_room.join(event, visitor, entered[visitor][1])
        assert place.number == order.index(entered[visitor][0]) + 1
    assert (await runtime.waiting_room.join(event, "late")).number > 5


async def test_redis_lost_after_the_draw(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await gathering(make_event)
    entered = await enter(runtime, event, *"abcde")
    event = await opened(runtime, event)
    order = await checked(runtime, event)
    await forget(runtime, event)
    for visitor in "edcba":
        place = await runtime.waiting_room.join(event, visitor, entered[visitor][1])
        assert place.number == order.index(entered[visitor][0]) + 1


async def test_a_draw_is_made_once_whoever_makes_it(settings: Any, stores: Any, make_event: MakeEvent) -> None:
    """Two processes draw at the same time, and one dies after each step: the same order comes out."""
    async with open_runtime(settings, stores) as one, open_runtime(settings, stores) as other:
        event = await gathering(make_event)
        entered = await enter(one, event, *(f"v{n}" for n in range(20)))
        await one.events.update(event.slug, opens_at=datetime.now(UTC))
        async with asyncio.timeout(PATIENCE):
            while (await one.events.fresh(event.slug)).opening is not None:
                await asyncio.gather(one.drawing.run(), other.drawing.run(), one.drawing.run())
        order = await checked(one, event)
        assert len(order) == len(entered)
        rows = await one.database.fetch_all("SELECT id FROM draws WHERE event_id = :id", {"id": event.id})
        assert len(rows) == 1


@pytest.mark.parametrize("by_hand", [False, True], ids=["by the clock", "by hand"])
async def test_who_knows_nothing_of_a_draw_announces_no_other_one(
    runtime: Runtime, make_event: MakeEvent, by_hand: bool
) -> None:
    """F1, F2: a process that read the sale before its opening, and stood still until it was drawn, announced one more
    draw: of nobody, over at once, and shown in the place of the one that had happened."""
    event = await gathering(make_event)
    await enter(runtime, event, *"abc")
    if by_hand:
        await runtime.events.set_status(event.slug, SaleStatus.OPEN)
        await until(lambda: _is_told(runtime, event))
    else:
        event = await opened(runtime, event)
    order = await checked(runtime, event)
    assert len(order) == 3
    again = await runtime.announcer.announce(event, event.openings[0])
    assert again.told
    rows = await runtime.database.fetch_all("SELECT id FROM draws WHERE event_id = :id", {"id": event.id})
    assert [row["id"] for row in rows] == [again.id]
    assert await checked(runtime, event) == order
    # A later opening of the same part is another one.
    await runtime.events.set_status(event.slug, SaleStatus.SCHEDULED)
    later = await runtime.events.update(event.slug, opens_at=datetime.now(UTC) + timedelta(hours=1))
    assert (await runtime.announcer.announce(later, later.openings[0])).id != again.id


async def _is_told(runtime: Runtime, event: Event) -> bool:
    await runtime.drawing.run()
    row = await runtime.draws.shown(event)
    return row is not None and row.told


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", ["freeze", "record", "assign", "finish", "told"])
async def test_who_draws_may_die_at_any_step(
    settings: Settings, stores: Engines, make_event: MakeEvent, step: str, after: bool
) -> None:
    """F1: another process goes on, with the root, the order and the numbers that were written down, and no others."""
    async with open_runtime(settings, stores) as dying, open_runtime(settings, stores) as other:
        event = await gathering(make_event)
        entered = await enter(dying, event, *(f"v{n}" for n in range(12)))
        await dying.events.update(event.slug, opens_at=datetime.now(UTC))
        died = dies_at(dying, step, after=after)
        async with asyncio.timeout(PATIENCE):
            while not died.is_set():
                with contextlib.suppress(Killed):
                    await dying.drawing.run()
        left = await other.draws.shown(event)
        assert left is not None
        assert not left.told or (step, after) == ("told", True)
        kept = await other.draws.receipts(left.id)
        event = await opened(other, event)
        order = await checked(other, event)
        assert sorted(order) == sorted(receipt for receipt, _ in entered.values())
        row = await other.draws.shown(event)
        assert row is not None
        assert (row.id, row.commitment) == (left.id, left.commitment)
        if left.state is not DrawState.ANNOUNCED:
            assert row.root == left.root
        if left.state is DrawState.DRAWN:
            assert order == kept, "drawn once"
        places = {visitor: await other.waiting_room.place(event, visitor) for visitor in entered}
        numbers = {entered[visitor][0]: place.number for visitor, place in places.items() if place}
        assert [numbers[receipt] for receipt in order] == list(range(1, 13))


def dies_at(runtime: Runtime, step: str, *, after: bool) -> asyncio.Event:
    """The process of this runtime dies before or after that step of its draw; between two pages of numbers."""
    part: Any = runtime.drawing._draws if step in ("freeze", "record", "told") else runtime.drawing._entries
    real, died = getattr(part, step), asyncio.Event()

    async def dying(*arguments: Any, **named: Any) -> None:
        died.set()
        if after:
            if step == "assign":
                event, opening, numbers = arguments
                arguments = (event, opening, numbers[: len(numbers) // 2])
            await real(*arguments, **named)
        raise Killed

    setattr(part, step, dying)
    return died


async def test_a_moved_opening_keeps_its_commitment_and_a_drawn_one_gets_a_new_seed(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await gathering(make_event)
    await enter(runtime, event, "a")
    before = await runtime.draws.shown(event)
    await runtime.events.update(event.slug, opens_at=soon(700))
    await runtime.drawing.run()
    moved = await runtime.draws.shown(event)
    assert before is not None
    assert moved is not None
    assert (moved.commitment, moved.id) == (before.commitment, before.id)
    assert moved.draw_at > before.draw_at
    event = await opened(runtime, event)
    await runtime.events.update(event.slug, opens_at=soon(800))
    await runtime.drawing.run()
    anew = await runtime.draws.shown(event)
    assert anew is not None
    assert not anew.told
    assert anew.commitment != before.commitment


async def forget(runtime: Runtime, event: Event) -> None:
    """Redis lost all of this event's keys."""
    found = [key async for key in runtime.redis.scan_iter(match=f"*{{{event.slug}}}*")]
    await runtime.redis.delete(keys.board(event.slug), *found)


async def test_the_entries_of_a_draw_that_was_told_are_taken_away_in_pages(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E1: to free a million entries at once keeps Redis, even in a thread of its own: the allocator has one lock."""
    monkeypatch.setattr(entries_redis, "ASSIGN_BATCH", 50)
    event = await gathering(make_event)
    await enter(runtime, event, "v1", "v2")
    others = [f"{number:032x}" for number in range(300)]
    kept = {name: f"{draw.receipt(draw.new_nonce(), name)}|{name}" for name in others}
    await runtime.redis.hset(keys.entries(event.slug), mapping=cast(Any, kept))
    await runtime.redis.zadd(keys.entry_beats(event.slug), dict.fromkeys(others, 0))
    freed = (await runtime.redis.info("memory"))["lazyfreed_objects"]
    await opened(runtime, event)
    assert not await runtime.redis.exists(
        keys.entries(event.slug),
        keys.entry_beats(event.slug),
        keys.told_entries(event.slug),
        keys.told_entry_beats(event.slug),
    )
    assert (await runtime.redis.info("memory"))["lazyfreed_objects"] == freed


async def test_entries_that_nobody_takes_away_end(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S32: the process that draws may die when everybody has a number."""

    async def killed(self: Entries, event: Event) -> None:
        raise Killed

    monkeypatch.setattr(Entries, "forget", killed)
    event = await gathering(make_event)
    await enter(runtime, event, "v1", "v2", "v3")
    with contextlib.suppress(Killed):
        await opened(runtime, event)
    for key in (keys.told_entries(event.slug), keys.told_entry_beats(event.slug)):
        assert 0 < await runtime.redis.pttl(key) <= entries_redis.TOLD_KEPT_MS
    row = await runtime.draws.shown(event)
    assert row is not None
    assert row.told
