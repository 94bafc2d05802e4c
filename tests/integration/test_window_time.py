"""R4: who was paying while the sale's clock stood gets that time back, once, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from core import keys
from core.booking.attempt import GRACE_SECONDS
from core.booking.composition import open_checkout
from core.booking.reservation import Reservation, ReservationStatus
from core.booking.statements_postgres import STATEMENTS
from core.database import raw
from core.errors import StoreUnavailable
from core.payments.gateway import Authorisation
from core.process.store_watch import GIVEN_WITHIN_SECONDS, StoreWatch
from core.process.tasks import awaited, cancelled
from core.runtime import Runtime
from core.settings import Settings
from core.upkeep.sweeping import Sweeping
from core.venue.event import Event, SaleStatus
from core.waiting_room.outage import Outage, stops_of
from core.waiting_room.queue_redis import _GIVE_BATCH
from tests.booking import Bank, desk, pass_time, retire, rows
from tests.conftest import MakeEvent
from tests.waits import PATIENCE, until

pytestmark = pytest.mark.usefixtures("patient")

AWAY = Outage(seconds=0.0)


async def _order(runtime: Runtime, event: Event, visitor: str, *seats: int) -> Reservation:
    await runtime.waiting_room.join(event, visitor)
    await runtime.seats.hold(event, visitor, seats)
    return await runtime.checkout.submit(
        event, visitor, email=f"{visitor}@example.org", idempotency_key=f"{visitor}-order-key", language="en"
    )


async def _ends(runtime: Runtime, order: Reservation) -> tuple[datetime, datetime]:
    """Until when it can be paid, and when its attempt ends by itself."""
    row = await runtime.database.fetch_one(
        "SELECT r.until, p.next_attempt_at FROM reservations r JOIN payment_attempts p ON p.reservation_id = r.id "
        "WHERE r.id = :id",
        {"id": order.id},
    )
    assert row is not None
    return row["until"], row["next_attempt_at"]


async def _older(runtime: Runtime, id: UUID, seconds: float) -> None:
    """The order was made so much earlier."""
    await pass_time(runtime, id, seconds)
    await rows(
        runtime,
        "UPDATE reservations SET created_at = created_at - make_interval(secs => $2::float8) WHERE id = $1",
        id,
        seconds,
    )


async def test_a_stop_counts_once_for_everybody_who_was_paying(runtime: Runtime, make_event: MakeEvent) -> None:
    """Who ordered in the middle of it lost, and gets, a part; whose time was over before it began gets none."""
    event = await make_event()
    long, late, over = [await _order(runtime, event, visitor, n) for n, visitor in enumerate(("a", "b", "c"))]
    await _older(runtime, long.id, 400)
    await _older(runtime, late.id, 100)
    await _older(runtime, over.id, 3_600)
    before = [await _ends(runtime, order) for order in (long, late, over)]
    ended = runtime.clock.now()
    assert await runtime.checkout.give_time(event.id, ended, 300) == 2
    assert await runtime.checkout.give_time(event.id, ended, 300) == 0, "the same stop, told again"
    assert await runtime.checkout.give_time(event.id, ended - timedelta(seconds=5), 300) == 0, "an earlier one"
    after = [await _ends(runtime, order) for order in (long, late, over)]
    given = [(new - old).total_seconds() for (new, _), (old, _) in zip(after, before, strict=True)]
    assert given[0] == 300
    assert 99 < given[1] < 299, given
    assert given[2] == 0
    assert [(new - old).total_seconds() for (_, new), (_, old) in zip(after, before, strict=True)] == given


async def test_no_window_lives_longer_than_half_an_hour(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    order = await _order(runtime, event, "a", 0)
    await _older(runtime, order.id, 400)
    for _ in range(5):
        await runtime.checkout.give_time(event.id, runtime.clock.now(), 600)
    ends, _ = await _ends(runtime, order)
    stored = await runtime.checkout.get(order.id, "a")
    assert ends - stored.created_at == timedelta(seconds=1740)


async def test_after_a_decline_the_kept_time_is_longer_as_well(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    order = await _order(runtime, event, "a", 0)
    assert order.payment is not None
    assert await desk(runtime, Bank()).checkout.closed(order.payment.order, None)
    closed = (await runtime.checkout.get(order.id, "a")).payment
    assert closed is not None
    assert closed.retry_until is not None
    await _older(runtime, order.id, 200)
    assert await runtime.checkout.give_time(event.id, runtime.clock.now(), 120) == 1
    later = (await runtime.checkout.get(order.id, "a")).payment
    assert later is not None
    assert later.retry_until == closed.retry_until + timedelta(seconds=120 - 200)


async def test_who_tries_again_while_time_is_given_gets_it_too(runtime: Runtime, make_event: MakeEvent) -> None:
    """The next attempt takes the place of the last one between the statement's look and its lock."""
    await retire(runtime)
    event = await make_event()
    order = await _order(runtime, event, "a", 0)
    assert order.payment is not None
    assert await desk(runtime, Bank()).checkout.closed(order.payment.order, None)
    await _older(runtime, order.id, 200)
    (until_before,) = await rows(runtime, "SELECT until FROM reservations WHERE id = $1", order.id)
    async with raw(runtime.database) as buyer:
        trying = buyer.transaction()
        await trying.start()
        next_order = f"{order.payment.order}x"
        arguments = (order.payment.order, next_order, "toss", "test:bank", 0.0, 3, 9, GRACE_SECONDS)
        assert await buyer.fetchrow(STATEMENTS["next_attempt"], *arguments) is not None
        giving = awaited("give", runtime.checkout.give_time(event.id, runtime.clock.now(), 120))

        async def waits() -> bool:
            waiting = "SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            return bool(await buyer.fetch(waiting)) or giving.done()

        await until(waits, "time is being given, and waits for who tries again")
        await trying.commit()
    assert await giving == 1
    (after,) = await rows(
        runtime,
        "SELECT r.until, p.next_attempt_at FROM reservations r JOIN payment_attempts p ON p.reservation_id = r.id "
        "WHERE p.order_no = $1",
        next_order,
    )
    assert after["until"] - until_before["until"] == timedelta(seconds=120)
    assert after["next_attempt_at"] == after["until"] + timedelta(seconds=GRACE_SECONDS)


class _Dies(Exception):
    """The process, in the middle of giving time."""


async def test_who_dies_before_it_was_noted_is_followed_by_another(runtime: Runtime, make_event: MakeEvent) -> None:
    """The sweep that ends the stop may be the last of its process; the stop is told until PostgreSQL has it."""
    event = await make_event()
    order = await _order(runtime, event, "a", 0)
    await runtime.waiting_room.sweep(event, outage=AWAY)
    await _older(runtime, order.id, 200)
    await runtime.redis.hincrby(keys.stop(event.slug), "since", -150_000)
    before, _ = await _ends(runtime, order)
    tried: list[datetime] = []

    async def dies(event_id: int, ended: datetime, seconds: float) -> int:
        if event_id == event.id:
            tried.append(ended)
        raise _Dies

    async def dies_after(event_id: int, ended: datetime, seconds: float) -> int:
        await runtime.checkout.give_time(event_id, ended, seconds)
        return await dies(event_id, ended, seconds)

    for give_time in (dies, dies_after):
        tried_before = len(tried)
        first = Sweeping(
            events=runtime.events, waiting_room=runtime.waiting_room, clock=runtime.clock, give_time=give_time
        )
        await first.run()

        def was_tried(before: int = tried_before) -> bool:
            return len(tried) > before

        await until(was_tried)
    second = Sweeping(
        events=runtime.events,
        waiting_room=runtime.waiting_room,
        clock=runtime.clock,
        give_time=runtime.checkout.give_time,
    )

    async def noted() -> bool:
        await second.run()
        return await runtime.redis.hget(keys.stop(event.slug), "unnoted") is None

    await until(noted, "PostgreSQL has it, and Redis forgets it")
    after, _ = await _ends(runtime, order)
    assert 149 <= (after - before).total_seconds() < 299, "once, by three processes"
    assert set(tried) == {tried[0]}


async def _dies(settings: Settings, event: Event, when: str) -> None:
    """Another process begins to give time, and is killed in the middle of it."""
    given = settings.model_dump_json(include={"data", "database_url", "redis_url", "payment", "secret_key"})
    secrets = json.loads(given) | {"secret_key": settings.secret_key.get_secret_value()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.dying_sweeper", json.dumps(secrets), event.slug, when)
    )
    async with asyncio.timeout(PATIENCE):
        assert await process.wait() == -signal.SIGKILL


@contextlib.asynccontextmanager
async def _heard(runtime: Runtime, event: Event, visitors: list[str]) -> AsyncIterator[None]:
    """Their browsers beat, however long a process takes to start: who was silent for the grace would be out."""

    async def beat() -> None:
        while not cancelled():
            await runtime.waiting_room.beat(event, visitors)
            await asyncio.sleep(1)

    async with asyncio.TaskGroup() as group:
        beats = group.create_task(beat())
        yield
        beats.cancel()


async def test_a_process_killed_in_the_middle_of_giving_time_back(
    runtime: Runtime, make_event: MakeEvent, settings: Settings
) -> None:
    """Some have their time, some not yet, and who pays has it without Redis knowing: in the end each has it once."""
    crowd = [f"v{n}" for n in range(_GIVE_BATCH + 20)]
    event = await make_event(active_limit=len(crowd) + 1)
    await asyncio.gather(*(runtime.waiting_room.join(event, visitor) for visitor in crowd))
    order = await _order(runtime, event, "payer", 0)
    await _older(runtime, order.id, 200)
    began = runtime.clock.now()
    await runtime.waiting_room.sweep(event, outage=AWAY)
    for visitor in crowd:  # no session is longer than a whole one from now
        await runtime.redis.zincrby(keys.active_until(event.slug), -450_000, visitor)
    sessions = {visitor: await _session(runtime, event, visitor) for visitor in crowd}
    to_pay, _ = await _ends(runtime, order)
    stood = 150
    await runtime.redis.hincrby(keys.stop(event.slug), "since", -1_000 * stood)

    async with _heard(runtime, event, crowd):
        await _dies(settings, event, "owed")
        assert 0 < await runtime.redis.zcard(keys.owed(event.slug)) < len(crowd)
        assert (await _ends(runtime, order))[0] == to_pay
        await _dies(settings, event, "paying")
        assert await runtime.redis.hget(keys.stop(event.slug), "unnoted") is not None
        assert (await _ends(runtime, order))[0] - to_pay >= timedelta(seconds=stood)

        sweeping = Sweeping(
            events=runtime.events,
            waiting_room=runtime.waiting_room,
            clock=runtime.clock,
            give_time=runtime.checkout.give_time,
        )

        async def all_given() -> bool:
            await sweeping.run()
            left = await runtime.redis.hmget(keys.stop(event.slug), "unnoted", "given", "since")
            return not any(left)

        await until(all_given)
    # While nobody swept, because the one who did was dead, the clock stood as well.
    longer = (await _ends(runtime, order))[0] - to_pay
    assert stood <= longer.total_seconds() <= stood + (runtime.clock.now() - began).total_seconds(), "once"
    given = {visitor: await _session(runtime, event, visitor) - until_ for visitor, until_ in sessions.items()}
    assert len(set(given.values())) == 1, "everybody the same, once"
    assert next(iter(given.values())) == pytest.approx(longer.total_seconds() * 1000, abs=1)


async def _session(runtime: Runtime, event: Event, visitor: str) -> float:
    """The end of a session, in ms."""
    score = await runtime.redis.zscore(keys.active_until(event.slug), visitor)
    assert score is not None
    return float(score)


async def test_who_pays_in_a_closed_sale_gets_time_back(runtime: Runtime, make_event: MakeEvent) -> None:
    """Nobody waits and nobody is in, as with offers of the waiting list; the end of the stop is noted all the same."""
    event = await make_event()
    order = await _order(runtime, event, "a", 0)
    await _older(runtime, order.id, 200)
    await runtime.redis.delete(keys.active_users(event.slug), keys.active_until(event.slug))
    await runtime.events.set_status(event.slug, SaleStatus.CLOSED)
    sweeping = Sweeping(
        events=runtime.events,
        waiting_room=runtime.waiting_room,
        clock=runtime.clock,
        give_time=runtime.checkout.give_time,
        paid_in=runtime.checkout.paid_in,
    )

    async def watched() -> bool:
        await sweeping.run()
        seen = [one.status for one in sweeping._known if one.id == event.id]
        return seen == [SaleStatus.CLOSED] and await runtime.redis.hexists(keys.stop(event.slug), "swept")

    await until(watched, "a closed sale in which somebody pays is swept")
    await sweeping.run()
    before, _ = await _ends(runtime, order)
    await runtime.redis.hincrby(keys.stop(event.slug), "swept", -150_000)

    async def noted() -> bool:
        await sweeping.run()
        given = (await _ends(runtime, order))[0] - before >= timedelta(seconds=149)
        return given and await runtime.redis.hget(keys.stop(event.slug), "unnoted") is None

    await until(noted, "who pays has the time, and the stop is noted")
    await rows(runtime, "UPDATE reservations SET status = 'FAILED', until = now() WHERE id = $1", order.id)

    async def forgotten() -> bool:
        await sweeping.run()
        return event.id in sweeping._finished and not await runtime.redis.exists(keys.stop(event.slug))

    await until(forgotten, "nobody pays any more: it is left alone")


async def test_stops_that_nobody_notes_are_bounded(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    await runtime.waiting_room.sweep(event)
    stops = ""
    for _ in range(25):
        await runtime.waiting_room.sweep(event, outage=AWAY)
        await runtime.redis.hincrby(keys.stop(event.slug), "since", -1_000)
        stops = (await runtime.waiting_room.sweep(event)).stops
    told = stops_of(stops)
    assert len(told) == 20
    assert [one.ended for one in told] == sorted(one.ended for one in told)
    report = await runtime.waiting_room.sweep(event, noted=stops)
    assert report.stops == ""


async def test_nobodys_time_to_pay_ends_before_the_time_was_given(runtime: Runtime, make_event: MakeEvent) -> None:
    """Not by the process that first has its store back; and a return that comes then counts."""
    await retire(runtime)
    event = await make_event()
    stood, just_started = [400.0], [False]
    settings = runtime.settings
    shop = desk(runtime, Bank())
    checkout = open_checkout(
        settings,
        database=runtime.database,
        redis=runtime.redis,
        seats=runtime.seats,
        events=runtime.events,
        payments=shop.checkout._payments,
        access=runtime.access,
        supervisor=runtime.supervisor,
        clock=runtime.clock,
        process="own",
        stood=lambda unknown: max(stood[0], min(unknown, 600.0) if just_started[0] else 0.0),
    )
    order = await _order(runtime, event, "a", 0)
    await _older(runtime, order.id, 600)
    assert await checkout.finish_due() == 0
    assert (await checkout.get(order.id, "a")).status is ReservationStatus.PAYING
    stood[0], just_started[0] = 0.0, True
    assert await checkout.finish_due() == 0, "who was just started does not know"
    assert order.payment is not None
    assert await checkout._reservations.bind(order.payment.order, Authorisation("late"), None) is None, "nor takes more"
    just_started[0] = False
    assert await checkout.finish_due() == 1
    assert (await checkout.get(order.id, "a")).status is ReservationStatus.FAILED


async def test_a_process_knows_for_how_long_nobody_could_pay() -> None:
    now, well = [1_000.0], [True]

    async def ask() -> None:
        if not well[0]:
            raise StoreUnavailable

    watch = StoreWatch({"database": ask}, monotonic=lambda: now[0])
    assert watch.stood() == 0, "where it does not run nobody asks it"
    watch._began = now[0]
    assert watch.stood() == pytest.approx(float("inf")), "at the start nobody knows"
    assert watch.stood(0.0) == 0, "and takes nothing later for that"
    now[0] += GIVEN_WITHIN_SECONDS
    await watch.look()
    assert watch.stood() == 0
    well[0] = False
    now[0] += 100
    await watch.look()
    assert watch.stood() == 100
    well[0] = True
    await watch.look()
    now[0] += GIVEN_WITHIN_SECONDS - 1
    assert watch.stood() == 100, "it may not be given yet"
    now[0] += 2
    assert watch.stood() == 0
