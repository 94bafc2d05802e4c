"""S33: each seeded fault is named, with what to do and a reply in both languages; the safe mends mend."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from core import keys
from core.diagnosis import money
from core.diagnosis.consumers import consumers
from core.diagnosis.finding import Cause, Finding, Level, advice, likeliest, warn
from core.diagnosis.question import Diagnosis, Question
from core.embedded import Engines
from core.figures.vitals_redis import VitalsBoard
from core.languages import LANGUAGES, translations
from core.messaging.group_lag import GroupLag
from core.payments.breaker import Mode
from core.payments.breaker_redis import CircuitView
from core.payments.payments import WhenOpen
from core.process.successes_redis import Successes
from core.runtime import Runtime, open_runtime
from core.seats.seat_lock_redis import SeatLocks
from core.sentences import said
from core.settings import Settings
from tests import topologies
from tests.booking import Bank, desk
from tests.conftest import MakeEvent
from tests.integration.diagnosed_sale import Scene, close_by_hand
from tests.kafka_broker import RunningKafka
from tests.outbox_rows import write
from tests.own_database import own_database
from tests.sale_keys import sale_keys
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient_diagnosis")


@pytest.fixture
async def scene(runtime: Runtime, make_event: MakeEvent) -> AsyncIterator[Scene]:
    """In which the `sweep` lease is taken, as it is while a server runs."""
    event = await make_event(active_limit=2)
    await runtime.seats.ensure_board(event)
    await Successes(runtime.redis).note("sweep", 600)
    # A process that serves.
    await runtime.vitals.publish()
    # Other tests leave events in the outbox and letters unread: they are not this customer's fault.
    await runtime.database.execute("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")
    await runtime.database.execute("UPDATE dead_letters SET retried_at = now() WHERE retried_at IS NULL")
    bank = Bank()
    yield Scene(runtime, event, bank, desk(runtime, bank))
    await runtime.vitals.withdraw()


def test_every_cause_has_advice_and_a_reply_in_every_language() -> None:
    for cause in Cause:
        assert advice(cause) != f"ops.advice.{cause}"
        for language in LANGUAGES:
            key = f"support.reply.{cause}"
            assert translations(language).gettext(key) != key, (language, cause)


def test_a_failure_explains_more_than_a_warning() -> None:
    seen = said("store.silent")
    found = [warn("a", Cause.SEAT_SOLD, seen), replace(warn("b", Cause.CIRCUIT_OPEN, seen), level=Level.FAIL)]
    assert likeliest(found) is Cause.CIRCUIT_OPEN
    assert likeliest(found[:1]) is Cause.SEAT_SOLD
    assert likeliest([]) is Cause.NOTHING_FOUND


async def test_a_sound_sale_has_nothing_wrong(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    found = await scene.ask(visitor="a", seat=1)
    assert [f for f in found.findings if f.level is not Level.PASS] == []
    assert found.cause is Cause.NOTHING_FOUND


async def _board_lost(scene: Scene) -> None:
    await scene.runtime.redis.delete(*sale_keys(scene.event.slug))


async def _no_sweep(scene: Scene) -> None:
    await scene.runtime.redis.hdel(keys.JOBS, "sweep")


async def _full(scene: Scene) -> None:
    for visitor in ("x", "y", "a"):
        await scene.runtime.waiting_room.join(scene.event, visitor)


async def _stalled(scene: Scene) -> None:
    await _full(scene)
    await scene.runtime.redis.zrem(keys.active_users(scene.event.slug), "x")


async def _capped(scene: Scene) -> None:
    # Renewed by the load, as its mode says.
    diagnose = scene.runtime.diagnose
    diagnose._here = replace(diagnose._here, cap_seconds=5.0)
    await scene.runtime.redis.set(keys.active_cap(scene.event.slug), 0, px=30_000)
    await scene.runtime.waiting_room.join(scene.event, "a")


async def _out(scene: Scene) -> None: ...


async def _paused(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    await scene.runtime.events.update(scene.event.slug, paused=True)


async def _sold_only_in_postgres(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    await scene.sql("UPDATE seats SET status = 'SOLD' WHERE event_id = :id AND ordinal = 1", id=scene.event.id)


async def _held_without_ttl(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    await scene.runtime.waiting_room.join(scene.event, "b")
    await scene.runtime.seats.hold(scene.event, "b", [1])
    await scene.runtime.redis.persist(keys.seat_state(scene.event.slug, 1))


async def _lock_without_ttl(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    await scene.runtime.redis.set(keys.seat_lock(scene.event.slug, 1), "somebody")


async def _held_by_other(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    await scene.runtime.waiting_room.join(scene.event, "b")
    await scene.runtime.seats.hold(scene.event, "b", [1])


async def _sold(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    await scene.shop.ended(await scene.shop.buy(scene.event, "b", 1))
    await scene.sql("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")


async def _blocked(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    await scene.runtime.seats.block(scene.event, [1], True)


async def _silent(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    now = scene.runtime.clock.now().timestamp() * 1000
    await scene.runtime.redis.zadd(keys.active_users(scene.event.slug), {"a": now - 28_000})


async def _relay_stuck(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    await scene.sql(
        "INSERT INTO outbox (reservation_id, type, payload, created_at) "
        "VALUES (gen_random_uuid(), 'reservation.confirmed', '{}', now() - interval '1 hour')"
    )


async def _dead_letter(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    await scene.sql(
        "INSERT INTO dead_letters (consumer, source, error, attempts) VALUES ('email', :source, 'boom', 5)",
        source=f"outbox/{uuid4()}",
    )


async def _circuit(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    for view in scene.runtime.payments.circuits():
        await scene.runtime.payments.force_circuit(view.provider, Mode.FORCED_OPEN)


async def _lapsed(scene: Scene) -> None:
    await scene.runtime.waiting_room.join(scene.event, "a")
    await scene.runtime.seats.hold(scene.event, "a", [1])
    await scene.runtime.redis.zadd(keys.basket_deadlines(scene.event.slug), {"a": 1})
    basket: Any = await scene.runtime.redis.hget(keys.baskets(scene.event.slug), "a")
    text = basket.decode()
    fence, _, rest = text.partition("|")
    await scene.runtime.redis.hset(keys.baskets(scene.event.slug), "a", f"{fence}|1|{rest.partition('|')[2]}")
    await scene.runtime.waiting_room.sweep(scene.event)


FAULTS: dict[Cause, Callable[[Scene], Awaitable[None]]] = {
    Cause.BOARD_LOST: _board_lost,
    Cause.SWEEP_STOPPED: _no_sweep,
    Cause.QUEUE_FULL: _full,
    Cause.ADMISSION_STALLED: _stalled,
    Cause.ADMISSION_CAPPED: _capped,
    Cause.VISITOR_OUT: _out,
    Cause.SALE_PAUSED: _paused,
    Cause.SALE_CLOSED: close_by_hand,
    Cause.MISMATCH: _sold_only_in_postgres,
    Cause.LOCK_WITHOUT_TTL: _lock_without_ttl,
    Cause.SEAT_HELD: _held_by_other,
    Cause.SEAT_SOLD: _sold,
    Cause.SEAT_BLOCKED: _blocked,
    Cause.HEARTBEAT_LATE: _silent,
    Cause.RELAY_STUCK: _relay_stuck,
    Cause.DEAD_LETTERS: _dead_letter,
    Cause.CIRCUIT_OPEN: _circuit,
    Cause.BASKET_LAPSED: _lapsed,
}


@pytest.mark.parametrize("cause", FAULTS, ids=str)
async def test_each_fault_is_named(cause: Cause, scene: Scene) -> None:
    try:
        await FAULTS[cause](scene)
        found = await scene.ask(visitor="a", seat=1)
        assert found.cause is cause, found.findings
        assert found.action == advice(cause)
        assert set(found.reply) == {"en", "ko"}
        assert [f for f in found.findings if f.cause is cause and f.level is not Level.PASS]
    finally:
        for view in scene.runtime.payments.circuits():
            await scene.runtime.payments.force_circuit(view.provider, Mode.CLOSED)
        await scene.sql("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")
        await scene.shop.supervisor.drain(10)


async def test_who_waits_where_no_seat_is_left_is_told_so(scene: Scene) -> None:
    """V3: nobody is let in for nothing, and that is no fault of the sweep's."""
    seats = await scene.runtime.redis.strlen(keys.board(scene.event.slug))
    await scene.runtime.seats.block(scene.event, list(range(seats)), True)
    await scene.runtime.waiting_room.join(scene.event, "a")
    assert (await scene.ask(visitor="a")).cause is Cause.NOTHING_LEFT
    await scene.runtime.seats.block(scene.event, [1], False)
    await scene.runtime.waiting_room.sweep(scene.event)
    assert (await scene.ask(visitor="a")).cause is Cause.NOTHING_FOUND


@pytest.mark.parametrize(
    ("state", "late", "stands_still"),
    [("frozen", -1, False), ("gathering", 1, False), ("gathering", -3600, True), ("drawn", 1, True)],
)
async def test_who_waits_behind_a_draw_waits_for_no_sweep(
    scene: Scene, state: str, late: float, stands_still: bool
) -> None:
    """F2, R7: a beacon speaks ten seconds after the opening; until everybody has a number nobody is let in."""
    await _stalled(scene)
    seconds, _ = await scene.runtime.redis.time()
    draw = keys.draw(scene.event.slug)
    await scene.runtime.redis.hset(draw, mapping={"state": state, "draw_at": 1000 * (int(seconds) - late)})
    causes = {finding.cause for finding in (await scene.ask(visitor="a")).findings}
    assert (Cause.ADMISSION_STALLED in causes) is stands_still


async def test_a_hold_without_a_ttl_is_a_mismatch(scene: Scene) -> None:
    await _held_without_ttl(scene)
    found = await scene.ask(visitor="a", seat=1)
    assert found.cause is Cause.MISMATCH
    assert "hold_without_ttl" in next(f.detail for f in found.findings if f.cause is Cause.MISMATCH)


@pytest.mark.parametrize(
    "cause", [Cause.BOARD_LOST, Cause.ADMISSION_STALLED, Cause.MISMATCH, Cause.LOCK_WITHOUT_TTL], ids=str
)
async def test_the_safe_mends_mend(cause: Cause, scene: Scene) -> None:
    await FAULTS[cause](scene)
    fixed = await scene.ask(fix=True, visitor="a", seat=1)
    assert [f.fixed for f in fixed.findings if f.cause is cause] == [True]
    again = await scene.ask(visitor="a", seat=1)
    assert cause not in {f.cause for f in again.findings}


async def test_the_stages_of_a_payment_are_told_apart(scene: Scene) -> None:
    scene.bank.gate = asyncio.Event()
    paying = await scene.shop.buy(scene.event, "a", 1)

    async def cause() -> Cause:
        await scene.sql("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")
        return (await scene.runtime.diagnose.run(Question(reservation=paying.id))).cause

    assert await cause() is Cause.PAYMENT_UNDER_WAY
    async with asyncio.timeout(PATIENCE):
        while True:
            await scene.sql(
                "UPDATE payment_attempts "
                "SET next_attempt_at = now() - interval '5 min', claimed_until = now() - interval '5 min' "
                "WHERE reservation_id = :id",
                id=paying.id,
            )
            # The process that has it renews its lease all the while.
            if await cause() is Cause.PAYMENT_STUCK:
                break
    scene.bank.gate.set()
    await scene.shop.ended(paying)
    assert await cause() is Cause.EMAIL_PENDING
    scene.bank.says = "decline"
    declined = await scene.shop.ended(await scene.shop.buy(scene.event, "b", 2))
    found = await scene.runtime.diagnose.run(Question(reservation=declined.id))
    assert found.cause is Cause.PAYMENT_DECLINED
    assert "declined" in found.reply["en"]
    await scene.shop.supervisor.drain(10)


async def test_what_does_not_exist_is_said(scene: Scene) -> None:
    unknown = await scene.runtime.diagnose.run(Question(reservation=UUID(int=0)))
    assert unknown.cause is Cause.RESERVATION_NOT_FOUND
    assert (await scene.runtime.diagnose.run(Question(event="nowhere"))).cause is Cause.EVENT_NOT_FOUND
    assert (await scene.ask(seat=10_000)).cause is Cause.NO_SUCH_SEAT


async def test_a_store_that_is_away_is_a_finding(settings: Settings, stores: Engines, make_event: MakeEvent) -> None:
    event = await make_event()
    with contextlib.ExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, topologies.single("--maxmemory-policy", "allkeys-lru"))
        url = f"redis://127.0.0.1:{server.port}/0"
        async with open_runtime(settings, Engines(stores.database_url, url)) as runtime:
            server.client().config_set("maxmemory", "200mb")
            found = await runtime.diagnose.run(Question(event=event.slug))
            assert Cause.REDIS_EVICTS in {f.cause for f in found.findings}
            server.kill()
            found = await runtime.diagnose.run(Question(event=event.slug, visitor="a", seat=1))
            assert found.cause is Cause.REDIS_AWAY
            # What PostgreSQL knows is walked all the same.
            steps = {finding.step: finding.level for finding in found.findings}
            assert steps["redis"] is Level.FAIL
            assert {steps["postgresql"], steps["schema"], steps["sale"], steps["outbox"]} <= {Level.PASS, Level.FAIL}
            assert "queue" not in steps


async def test_faults_of_kafka_are_named(settings: Settings, stores: Engines, running_kafka: RunningKafka) -> None:
    """S18, S20: nobody consumes; then somebody does; brokers that are away."""
    if running_kafka.mock:
        pytest.skip("librdkafka's mock does not know who is in a group")
    async with own_database(stores.database_url) as url:
        mine = settings.model_copy(
            update={"kafka_bootstrap_servers": running_kafka.bootstrap_servers, "outbox_seconds": 0.05}
        )
        engines = Engines(url, stores.redis_url)

        async def found(runtime: Runtime) -> Diagnosis:
            return await runtime.diagnose.run(Question())

        async def until(runtime: Runtime, cause: Cause) -> Diagnosis:
            async with asyncio.timeout(PATIENCE):
                while (last := await found(runtime)).cause is not cause:
                    await asyncio.sleep(0.1)
            return last

        async with open_runtime(mine, engines) as web:
            await write(web.database)
            await web.pipeline.start()
            alone = await until(web, Cause.CONSUMER_LAG)
            assert any("no `onsale worker` runs" in finding.detail for finding in alone.findings)
            assert alone.action == advice(Cause.CONSUMER_LAG)
            async with open_runtime(mine, engines, consume=True) as worker:
                await worker.pipeline.start()
                await until(web, Cause.NOTHING_FOUND)
                await worker.stop_jobs(10)
            await web.stop_jobs(10)
        away = mine.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
        async with open_runtime(away, engines) as runtime:
            named = await found(runtime)
            assert (named.cause, named.reply["en"]) == (
                Cause.KAFKA_AWAY,
                translations("en").gettext("support.reply.kafka_away"),
            )
            # The events that it keeps back are its doing.
            await write(runtime.database)
            await runtime.database.execute("UPDATE outbox SET created_at = now() - interval '1 hour'")
            named = await found(runtime)
            assert Cause.RELAY_STUCK in {finding.cause for finding in named.findings}
            assert named.cause is Cause.KAFKA_AWAY


async def test_a_group_that_keeps_up_is_well() -> None:
    async def judged(lag: int, members: int) -> Finding:
        async def groups() -> dict[str, GroupLag]:
            return {"email": GroupLag(lag, members)}

        return [finding async for finding in consumers(groups)][-1]

    assert (await judged(1000, 1)).level is Level.PASS
    assert (await judged(1001, 3)).level is Level.WARN
    # Nothing waits: a worker that is not needed is not missed.
    assert (await judged(0, 0)).level is Level.PASS
    assert (await judged(1, 0)).level is Level.FAIL


@pytest.mark.parametrize(
    ("when_open", "shut", "said"),
    [
        ("fail_fast", "toss", (Level.FAIL, "nobody can pay")),
        ("fail_fast", "kcp", (Level.WARN, "new payments do not go there (fail_fast)")),
        ("park", "toss", (Level.WARN, "payments wait with their seats (park)")),
        ("fallback", "toss", (Level.WARN, "kcp is asked instead (fallback)")),
        ("fallback", "toss kcp", (Level.FAIL, "nobody can pay")),
    ],
)
async def test_an_open_circuit_means_what_the_setting_makes_of_it(
    when_open: WhenOpen, shut: str, said: tuple[Level, str]
) -> None:
    """S22."""
    views = [
        CircuitView(name, Mode.OPEN if name in shut else Mode.CLOSED, 80.0, None, 10, 5.0, True)
        for name in ("toss", "kcp")
    ]
    found = [finding async for finding in money.circuits(views, when_open)]
    bad = [finding for finding in found if finding.level is not Level.PASS]
    assert {finding.step for finding in bad} == {"payment circuit"}
    assert {(finding.level, finding.detail.partition("; ")[2]) for finding in bad} == {said}


async def test_a_process_that_tells_nothing_of_itself_any_more(scene: Scene) -> None:
    """R2: it hangs, and its visitors are put out: that explains more than "the visitor is out"."""
    runtime = scene.runtime
    now = runtime.clock.now().timestamp()

    async def told(process: str, *, seconds_ago: float, host: str = "another-machine", pid: int = 7) -> None:
        vitals = replace(runtime.vitals.read(), process=process, host=host, pid=pid, at=now - seconds_ago, channels=40)
        await runtime.redis.hset(keys.VITALS, process, orjson.dumps(asdict(vitals)))

    await runtime.redis.delete(keys.VITALS)
    await runtime.vitals.publish()
    await told("late", seconds_ago=20)
    gone = subprocess.Popen(["true"])
    gone.wait()
    # One of this machine that was killed, and whose place another one has taken, is not silent.
    await told("killed", seconds_ago=60, host=socket.gethostname(), pid=gone.pid)
    assert (await scene.ask(visitor="v_nobody")).cause is Cause.VISITOR_OUT

    await told("hanging", seconds_ago=60)
    found = await scene.ask(visitor="v_nobody")
    assert found.cause is Cause.PROCESS_SILENT
    (silent,) = [finding for finding in found.findings if finding.step == "processes"]
    assert re.search(r"process 7 on another-machine for \d\d s \(it had 40 channels\)", silent.detail)
    assert "killed" not in silent.detail

    # Forgotten after ten minutes; and what says that it ends is not missed.
    await told("hanging", seconds_ago=700)
    assert (await scene.ask()).cause is Cause.NOTHING_FOUND
    assert await runtime.redis.hget(keys.VITALS, "hanging") is None
    await runtime.vitals.withdraw()
    assert await runtime.redis.hget(keys.VITALS, runtime.process) is None


async def test_a_process_of_a_newer_version_is_seen(scene: Scene) -> None:
    """While processes are replaced one by one, the old ones read what the new ones tell, as far as they know (R2)."""
    runtime = scene.runtime
    newer = asdict(replace(runtime.vitals.read(), process="newer"))
    newer |= {"told_anew": 1, "locks": newer["locks"] | {"told_anew": 2}}
    await runtime.redis.hset(keys.VITALS, "newer", orjson.dumps(newer))
    assert "newer" in {one.process for one in await runtime.vitals.all()}


async def test_what_a_killed_process_left_is_taken_away_by_the_next_one(scene: Scene) -> None:
    runtime = scene.runtime
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = replace(runtime.vitals.read(), process="killed", pid=gone.pid)
    await runtime.redis.hset(keys.VITALS, "killed", orjson.dumps(asdict(left)))
    board = VitalsBoard(
        redis=runtime.redis, clock=runtime.clock, process="next", locks=SeatLocks(runtime.run, wait=1, lease=2)
    )
    await board.publish()
    assert {one.process for one in await board.all()} >= {"next"}
    assert await runtime.redis.hget(keys.VITALS, "killed") is None
    await board.withdraw()
