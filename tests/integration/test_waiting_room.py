"""The waiting room on a real Redis: S7, S8, S9; rules 4, 5 and 8."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from redis.exceptions import ResponseError

from core import keys
from core.errors import SaleClosed, SaleNotOpen
from core.runtime import Runtime, open_runtime
from core.upkeep.composition import open_limits
from core.upkeep.load_redis import LoadReadings, worst
from core.upkeep.sweeping import Sweeping
from core.venue.event import Event, SaleStatus
from core.waiting_room.outage import Outage
from core.waiting_room.place import PlaceState, SweepReport
from core.waiting_room.queue_redis import SWEEP_BATCH
from tests.conftest import MakeEvent
from tests.sale_keys import sale_keys
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient")


async def test_places_are_exact_and_in_order_of_arrival(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(active_limit=2)
    places = [await runtime.waiting_room.join(event, f"v{i}") for i in range(6)]
    assert [place.state for place in places] == [PlaceState.ACTIVE] * 2 + [PlaceState.WAITING] * 4
    assert [place.number for place in places] == [1, 2, 3, 4, 5, 6]
    assert [place.ahead for place in places] == [0, 0, 0, 1, 2, 3]
    assert places[0].until is not None
    assert places[2].eta_seconds is not None


async def test_asking_and_joining_again_change_nothing(runtime: Runtime, make_event: MakeEvent) -> None:
    """Rule 4: asking for one's place never changes it."""
    event = await make_event(active_limit=1)
    for visitor in "abc":
        await runtime.waiting_room.join(event, visitor)
    before = await runtime.redis.zrange(keys.waiting_queue(event.slug), 0, -1, withscores=True)
    for _ in range(3):
        assert (await runtime.waiting_room.place(event, "c")).ahead == 1  # type: ignore[union-attr]
        assert (await runtime.waiting_room.join(event, "c")).ahead == 1
        assert await runtime.waiting_room.place(event, "stranger") is None
    assert await runtime.redis.zrange(keys.waiting_queue(event.slug), 0, -1, withscores=True) == before


async def test_leaving_lets_the_head_in_at_once_and_spends_the_ticket(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(active_limit=1)
    room = runtime.waiting_room
    first = await room.join(event, "a")
    await room.join(event, "b")
    await room.join(event, "c")
    await runtime.seats.hold(event, "a", [0])
    ticket = room.ticket(event, "a", first.number)
    assert await room.leave(event, "a")
    assert not await room.leave(event, "a")
    assert (await room.place(event, "b")).state is PlaceState.ACTIVE  # type: ignore[union-attr]
    assert not any((await runtime.seats.board(event)).states)
    back = await room.join(event, "a", ticket)
    assert back.state is PlaceState.WAITING
    assert back.number == 4


async def _silent(runtime: Runtime, beats: str, visitor: str) -> None:
    """Not heard of for longer than any grace, and not for so long that its place is lost."""
    then = (runtime.clock.now() - timedelta(minutes=5)).timestamp() * 1000
    assert await runtime.redis.zadd(beats, {visitor: then}, xx=True, ch=True) == 1


async def test_a_ghost_goes_and_comes_back_to_its_place(runtime: Runtime, make_event: MakeEvent) -> None:
    """S9: a phone that slept past the grace has its place back with the signed ticket, in front of later comers."""
    event = await make_event(active_limit=1)
    room = runtime.waiting_room
    await room.join(event, "in")
    sleeper = await room.join(event, "sleeper")
    await room.join(event, "awake")
    ticket = room.ticket(event, "sleeper", sleeper.number)
    await room.sweep(event)
    assert await room.place(event, "sleeper") is not None
    await _silent(runtime, keys.waiting_beats(event.slug), "sleeper")
    await room.sweep(event)
    assert await room.place(event, "sleeper") is None
    assert (await room.place(event, "awake")).ahead == 0  # type: ignore[union-attr]
    assert (await room.join(event, "late")).ahead == 1
    back = await room.join(event, "sleeper", ticket)
    assert (back.number, back.ahead) == (sleeper.number, 0)
    assert (await room.place(event, "awake")).ahead == 1  # type: ignore[union-attr]


async def test_anothers_ticket_is_no_place(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(active_limit=1)
    room = runtime.waiting_room
    for visitor in ("a", "b", "c"):
        await room.join(event, visitor)
    stolen = room.ticket(event, "b", 2)
    assert (await room.join(event, "thief", stolen)).number == 4


async def test_silent_active_visitors_are_out_and_their_seats_free(runtime: Runtime, make_event: MakeEvent) -> None:
    """Rule 5, S9, D4."""
    event = await make_event(active_limit=2)
    room = runtime.waiting_room
    for visitor in ("silent", "beating", "next"):
        await room.join(event, visitor)
    await runtime.seats.hold(event, "silent", [0])
    await runtime.seats.hold(event, "beating", [1])
    await room.sweep(event)
    for visitor in ("silent", "beating"):
        await _silent(runtime, keys.active_users(event.slug), visitor)
    assert await room.beat(event, ["beating", "next", "stranger"]) == {"stranger": ""}
    await room.sweep(event)
    assert await room.place(event, "silent") is None
    assert (await runtime.seats.board(event)).states[:2] == bytes([0, 1])
    assert (await room.place(event, "next")).state is PlaceState.ACTIVE  # type: ignore[union-attr]


async def test_a_session_ends_however_much_it_beats(settings: Any, stores: Any, make_event: MakeEvent) -> None:
    event = await make_event(active_limit=1)
    async with open_runtime(settings.model_copy(update={"session_seconds": 0.5}), stores) as runtime:
        room = runtime.waiting_room
        place = await room.join(event, "a")
        ticket = room.ticket(event, "a", place.number)
        async with asyncio.timeout(PATIENCE):
            while await room.place(event, "a") is not None:
                await room.beat(event, ["a"])
                await room.sweep(event)
                await asyncio.sleep(0.05)
        await room.join(event, "b")
        # The ticket was spent on the way in: the session cannot be had twice before others.
        assert (await room.join(event, "a", ticket)).number == 3


async def test_a_payment_keeps_its_buyer_in_until_its_own_time_is_over(runtime: Runtime, make_event: MakeEvent) -> None:
    """Rule 5: past the session's end, and not for ever, as where all who could end it have died."""
    event, room = await make_event(active_limit=2), runtime.waiting_room
    for visitor in ("pays", "left"):
        await room.join(event, visitor)
    seconds, _ = await runtime.redis.time()
    now = 1000 * seconds
    await runtime.redis.zadd(keys.active_until(event.slug), {"pays": now - 1000, "left": now - 1000})
    await runtime.redis.zadd(keys.active_paying(event.slug), {"pays": now + 600_000, "left": now - 1000})
    assert (await room.sweep(event)).sessions_ended == 1
    assert await room.place(event, "left") is None
    assert (await room.place(event, "pays")).state is PlaceState.ACTIVE  # type: ignore[union-attr]


async def test_sale_state_and_pause_are_obeyed(runtime: Runtime, make_event: MakeEvent) -> None:
    room = runtime.waiting_room
    later = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(SaleNotOpen):
        await room.join(await make_event(status=SaleStatus.SCHEDULED, opens_at=later), "a")
    with pytest.raises(SaleClosed):
        await room.join(await make_event(status=SaleStatus.CLOSED), "a")
    event = await make_event()
    paused = await runtime.events.update(event.slug, paused=True)
    assert (await room.join(paused, "a")).state is PlaceState.WAITING
    await room.sweep(paused)
    assert (await room.place(paused, "a")).state is PlaceState.WAITING  # type: ignore[union-attr]
    await room.sweep(event)
    assert (await room.place(event, "a")).state is PlaceState.ACTIVE  # type: ignore[union-attr]


async def test_a_closed_sale_empties_itself_and_its_keys_die(runtime: Runtime, make_event: MakeEvent) -> None:
    """Rule 8; a payment under way is not cut off (rule 5)."""
    event = await make_event(active_limit=2)
    room = runtime.waiting_room
    for visitor in ("payer", "idler", "waiting"):
        await room.join(event, visitor)
    await runtime.seats.hold(event, "payer", [0])
    await runtime.seats.hold(event, "idler", [1])
    await runtime.seats.begin_payment(event, "payer")
    await runtime.events.set_status(event.slug, SaleStatus.CLOSED)
    sweeping = Sweeping(events=runtime.events, waiting_room=room, clock=runtime.clock)
    await sweeping.run()
    closed = await runtime.events.get(event.slug)
    assert await room.place(closed, "payer") is not None
    assert await room.place(closed, "idler") is None
    assert await room.place(closed, "waiting") is None
    assert (await runtime.seats.board(closed)).states[:2] == bytes([1, 0])
    for key in (keys.board(event.slug), keys.board_version(event.slug), keys.waiting_spent(event.slug)):
        assert 0 < await runtime.redis.ttl(key) <= 24 * 3600
    await runtime.events.set_status(event.slug, SaleStatus.OPEN)
    await sweeping.run()
    assert await runtime.redis.ttl(keys.board(event.slug)) == -1


async def test_a_closed_sale_is_swept_to_its_end(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is in any more, but one script could not free all holds: the next round goes on."""
    event = await make_event()
    await runtime.events.set_status(event.slug, SaleStatus.CLOSED)
    rounds = 0

    async def sweep(swept: Event, *, batches: int, outage: Outage, noted: str, paying: bool) -> SweepReport:
        nonlocal rounds
        rounds += swept.slug == event.slug
        return SweepReport(0, 0, 0, 0, 0, 0, 0, 0, more=swept.slug == event.slug and rounds == 1)

    monkeypatch.setattr(runtime.waiting_room, "sweep", sweep)
    sweeping = Sweeping(events=runtime.events, waiting_room=runtime.waiting_room, clock=runtime.clock, seconds=0)
    for _ in range(3):
        await sweeping.run()
    assert rounds == 2


async def test_numbers_go_on_after_redis_lost_everything(runtime: Runtime, make_event: MakeEvent) -> None:
    """S13: a ticket from before the loss stands before everybody who came after it."""
    event = await make_event(active_limit=1)
    room = runtime.waiting_room
    await room.join(event, "in")
    old = await room.join(event, "old")
    older = await room.join(event, "older still")
    tickets = {v: room.ticket(event, v, p.number) for v, p in (("old", old), ("older still", older))}
    await runtime.redis.delete(*sale_keys(event.slug))
    await room.join(event, "first after")
    newcomer = await room.join(event, "newcomer")
    assert newcomer.number > older.number
    assert (await room.join(event, "older still", tickets["older still"])).ahead == 0
    assert (await room.join(event, "old", tickets["old"])).ahead == 0
    assert (await room.place(event, "newcomer")).ahead == 2  # type: ignore[union-attr]


async def test_messages_carry_every_departure(runtime: Runtime, make_event: MakeEvent) -> None:
    """D4: `ahead` at a version, minus the published departures before it, is the place: no call for each browser."""
    event = await make_event(active_limit=1)
    room = runtime.waiting_room
    pubsub = runtime.redis.pubsub()
    await pubsub.subscribe(keys.queue_channel(event.slug))
    places = {f"v{i}": await room.join(event, f"v{i}") for i in range(8)}
    for leaver in ("v3", "v0", "v5"):
        await room.leave(event, leaver)
    version, want, _ = await room.places(event, list(places))
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE):
        while not messages or messages[-1]["v"] < version:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
            if message:
                messages.append(json.loads(message["data"]))
    await pubsub.aclose()
    for visitor, (number, ahead) in want.items():
        place = places[visitor]
        assert number == place.number
        left = [n for m in messages if m["v"] > place.version for n in m.get("left", []) if n < place.number]
        assert place.ahead - len(left) == ahead
    assert [m["v"] for m in messages if "left" in m] == list(range(1, version + 1))


async def test_the_limit_follows_the_machines(settings: Any, stores: Any, make_event: MakeEvent) -> None:
    """S10: computed from cores and pool, never above the event's own; a cap that nobody renews ends by itself."""
    event = await make_event(active_limit=50)
    modest = settings.model_copy(
        update={"active_limit_mode": "computed", "capacity_per_core": 0.5, "capacity_safety": 1.0, "limits_seconds": 60}
    )
    async with open_runtime(modest, stores) as runtime:
        await runtime.redis.delete(keys.LOAD)
        readings = LoadReadings(
            redis=runtime.redis,
            database=runtime.database,
            clock=runtime.clock,
            process="p1",
            pool_size=10,
            require_payment=runtime.payments.require_available,
            payment_seconds=lambda: 7.5,
        )
        limits = open_limits(
            modest,
            redis=runtime.redis,
            readings=readings,
            events=runtime.events,
            clock=runtime.clock,
            database=runtime.database,
        )
        await limits.run()
        assert await runtime.redis.get(keys.active_cap(event.slug)) is None
        await readings.publish()
        load = worst(await readings.fresh())
        assert (load.payment_seconds, load.payment_away) == (7.5, False)
        assert load.cpu is not None
        await limits.run()
        want = max(1, int((os.cpu_count() or 1) * 0.5))
        assert await runtime.redis.get(keys.active_cap(event.slug)) == b"%d" % want
        assert 0 < await runtime.redis.ttl(keys.active_cap(event.slug)) <= 360
        places = [await runtime.waiting_room.join(event, f"v{i}") for i in range(want + 3)]
        assert [p.state for p in places].count(PlaceState.ACTIVE) == want
        await runtime.redis.delete(keys.active_cap(event.slug), keys.LOAD)
        report = await runtime.waiting_room.sweep(event)
        assert report.active == want + 3


async def test_nobody_is_put_out_for_silence_while_nobody_listened(runtime: Runtime, make_event: MakeEvent) -> None:
    """After an outage of Redis or of all processes everyone has one grace to be heard again (rule 5)."""
    event = await make_event(active_limit=1)
    room, slug = runtime.waiting_room, event.slug
    await room.join(event, "in")
    await room.join(event, "waiting")
    await room.sweep(event)
    now = runtime.clock.now().timestamp() * 1000
    # The outage: last swept and last heard a minute ago.
    await runtime.redis.hset(keys.pace(slug), "at", f"{now - 60_000:.0f}")
    await runtime.redis.zadd(keys.active_users(slug), {"in": now - 60_000})
    await runtime.redis.zadd(keys.waiting_beats(slug), {"waiting": now - 600_000})
    for _ in range(3):
        report = await room.sweep(event)
        assert (report.active_silent, report.waiting_silent) == (0, 0)
    # Who is still silent after that grace is out.
    await runtime.redis.hset(keys.pace(slug), "amnesty", "1")
    report = await room.sweep(event)
    assert (report.active_silent, report.waiting_silent) == (1, 1)


async def _waits(runtime: Runtime, event: Event, visitors: int) -> list[str]:
    """A queue of so many, written at once: who they are, in order."""
    names = [f"v{number:05}" for number in range(visitors)]
    now = runtime.clock.now().timestamp() * 1000
    await runtime.seats.board(event)
    await runtime.redis.zadd(keys.waiting_queue(event.slug), {name: n for n, name in enumerate(names, 1)})
    await runtime.redis.zadd(keys.waiting_beats(event.slug), dict.fromkeys(names, now))
    await runtime.redis.set(keys.waiting_number(event.slug), visitors)
    return names


async def test_a_limit_raised_by_far_lets_all_in_by_batches(runtime: Runtime, make_event: MakeEvent) -> None:
    """No script keeps Redis to itself: so many a script, in order, all of them in one round of the job."""
    event = await make_event(active_limit=1)
    names = await _waits(runtime, event, 20_000)
    sizes: list[int] = []
    room: list[int] = []
    entered: list[str] = []
    async with runtime.redis.pubsub() as pubsub:
        await pubsub.subscribe(keys.queue_channel(event.slug))
        raised = await runtime.events.update(event.slug, active_limit=25_000)
        # Who joins meanwhile lets some in, not all.
        place = await runtime.waiting_room.join(raised, "late")
        assert (place.state, place.number, place.active) == (PlaceState.WAITING, 20_001, 100)
        sweeping = Sweeping(
            events=runtime.events, waiting_room=runtime.waiting_room, clock=runtime.clock, seconds=PATIENCE
        )
        await sweeping.run()
        async with asyncio.timeout(PATIENCE):
            while len(entered) < len(names) + 1:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
                said = json.loads(message["data"]) if message else {}
                admitted = said.get("admitted", [])
                sizes.append(len(admitted))
                room += [said.get("room", 0)] if admitted else []
                entered += [visitor for visitor, _, _ in admitted]
    assert entered == [*names, "late"]
    assert max(sizes) == SWEEP_BATCH
    # Browsers are told for how many there is room already (F9).
    assert (room[0], room[-1], room == sorted(room, reverse=True)) == (24_900, 0, True)
    assert await runtime.redis.zcard(keys.waiting_queue(event.slug)) == 0
    # All of them end at once as well, and a crowd of payments under way at the head keeps nobody in.
    paying = names[:1500]
    await runtime.redis.zadd(keys.active_until(event.slug), dict.fromkeys(names, 1000.0))
    await runtime.redis.zadd(keys.active_paying(event.slug), dict.fromkeys(paying, 1e15))
    first = await runtime.waiting_room.sweep(raised, batches=1)
    assert (first.sessions_ended, first.more) == (SWEEP_BATCH, True)
    rest = await runtime.waiting_room.sweep(raised)
    assert (rest.sessions_ended, rest.active, rest.more) == (len(names) - len(paying) - SWEEP_BATCH, 1501, False)


async def test_one_large_crowd_delays_no_other_sale(runtime: Runtime, make_event: MakeEvent) -> None:
    """Events take turns, a batch each; and a PostgreSQL that does not answer stops no sweep."""
    large, small = await make_event(active_limit=25_000), await make_event(active_limit=10)
    await _waits(runtime, large, 3 * SWEEP_BATCH)
    await _waits(runtime, small, 5)
    sweeping = Sweeping(events=runtime.events, waiting_room=runtime.waiting_room, clock=runtime.clock, seconds=0.0)
    await sweeping.run()
    active = [await runtime.redis.zcard(keys.active_users(event.slug)) for event in (large, small)]
    assert active == [SWEEP_BATCH, 5], "one turn of each"
    answers = asyncio.Event()

    async def never() -> None:
        await answers.wait()

    runtime.events.list = never  # type: ignore[assignment, method-assign]
    await sweeping.run()
    assert await runtime.redis.zcard(keys.active_users(large.slug)) == 2 * SWEEP_BATCH
    answers.set()


async def test_a_sale_whose_sweep_fails_stops_no_other_sale(runtime: Runtime, make_event: MakeEvent) -> None:
    """R1: a defect in one sale's keys is that sale's; it is told, and raised only where no sale could be swept."""
    broken, well = await make_event(active_limit=10), await make_event(active_limit=10)
    for event in (broken, well):
        await _waits(runtime, event, 5)
    await runtime.redis.set(keys.active_users(broken.slug), "no sorted set")
    known = [broken, well]

    async def listed() -> list[Event]:
        return known

    runtime.events.list = listed  # type: ignore[method-assign]
    sweeping = Sweeping(events=runtime.events, waiting_room=runtime.waiting_room, clock=runtime.clock)
    with structlog.testing.capture_logs() as lines:
        await sweeping.run()
    assert await runtime.redis.zcard(keys.active_users(well.slug)) == 5
    assert [line["slug"] for line in lines if line["event"] == "sweep failed"] == [broken.slug]
    known.remove(well)
    with pytest.raises(ResponseError):
        await sweeping.run()
