"""S31, S32: the watch on real stores: what it notices, whom it tells, how it goes on when something is gone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass, field, replace

import orjson
import pytest
import structlog

from core import audit_postgres as audit
from core import keys
from core.diagnosis.health_check import HealthCheck
from core.diagnosis.health_watch import HealthWatch
from core.embedded import Engines
from core.messaging import pipeline as event_pipeline
from core.messaging.bus import BusUnavailable
from core.messaging.group_lag import GroupLag
from core.notifications.alert_messages import AlertMessage, MessengerAway
from core.payments.breaker import Mode
from core.process.lease_redis import Leases
from core.process.successes_redis import Successes
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.upkeep.composition import open_rounds
from core.upkeep.janitor_redis import delete_stray_locks
from core.waiting_room.queue_redis import WaitingRoom
from tests.booking import rows
from tests.conftest import MakeEvent
from tests.contract.store_proxy import StoreProxy, behind_proxies
from tests.manual_clock import ManualClock
from tests.waits import PATIENCE


@dataclass
class Channel:
    """The people on call: what they were told, and by which process."""

    told: list[tuple[str, str, str]] = field(default_factory=list)
    healed: list[tuple[str, str, int]] = field(default_factory=list)
    messages: int = 0
    away: MessengerAway | None = None

    async def send(self, message: AlertMessage) -> None:
        if self.away is not None:
            raise self.away
        self.messages += 1
        self.told += [(alert.news or "", alert.name, alert.subject) for alert in message.alerts]
        self.healed += [(one.what, one.subject, one.count) for one in message.healed]

    async def aclose(self) -> None:
        return


class Scene:
    """Watches on stores that can be taken away; each look is a minute and a half after the one before."""

    def __init__(self, runtime: Runtime, postgres: StoreProxy, redis: StoreProxy) -> None:
        self.runtime, self.postgres, self.redis = runtime, postgres, redis
        self.clock = ManualClock()
        self.channel = Channel()
        self.groups = runtime.pipeline.groups

    def process(self, name: str = "one") -> HealthWatch:
        runtime = self.runtime
        look = HealthCheck(
            database=runtime.database,
            redis=runtime.redis,
            events=runtime.events,
            payments=runtime.payments,
            clock=runtime.clock,
            groups=lambda: self.groups(),
            vitals=runtime.vitals,
        )
        return HealthWatch(
            look=look,
            redis=runtime.redis,
            database=runtime.database,
            leases=Leases(runtime.redis, name),
            messenger=self.channel,
            clock=self.clock,
            every_seconds=0.1,
        )

    async def looks(self, *watches: HealthWatch, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(90)
            for watch in watches:
                await watch.run()

    async def look_at_once(self, *watches: HealthWatch, times: int) -> None:
        for _ in range(times):
            self.clock.advance(90)
            await asyncio.gather(*(watch.run() for watch in watches))

    def told(self, name: str) -> list[str]:
        return [news for news, told, _ in self.channel.told if told == name]


@pytest.fixture
async def scene(settings: Settings, stores: Engines, runtime: Runtime) -> AsyncIterator[Scene]:
    """Alone on the stores: no open sale, outbox row, dead letter or alert of another test."""
    await runtime.redis.delete(keys.ALERTS, keys.job_lease("health_watch"))
    await runtime.database.execute("UPDATE events SET status = 'CLOSED'")
    await runtime.database.execute("DELETE FROM outbox WHERE sent_at IS NULL")
    await runtime.database.execute("UPDATE dead_letters SET retried_at = now()")
    await runtime.database.execute("DELETE FROM audit WHERE action IN ('alert.told', 'alert.fired', 'alert.resolved')")
    for provider in ("toss", "kcp"):
        await runtime.payments.force_circuit(provider, Mode.CLOSED)
    async with behind_proxies(stores) as (engines, postgres, redis), open_runtime(settings, engines) as behind:
        yield Scene(behind, postgres, redis)
        await postgres.cut()
        await redis.cut()
    await runtime.redis.delete(keys.ALERTS, keys.job_lease("health_watch"))


async def test_a_well_installation_says_nothing(scene: Scene) -> None:
    watch = scene.process()
    await scene.looks(watch, times=5)
    assert (scene.channel.messages, watch.firing()) == (0, [])


@pytest.mark.usefixtures("patient_circuits")
async def test_an_alert_is_told_once_and_its_end_once(scene: Scene, runtime: Runtime) -> None:
    watch = scene.process()
    await scene.looks(watch)
    await runtime.payments.force_circuit("toss", Mode.FORCED_OPEN)
    await scene.runtime.payments.refresh()
    with structlog.testing.capture_logs() as lines:
        await scene.looks(watch, times=3)
    assert scene.channel.told == [("fired", "circuit_open", "-")]
    assert [line["alert"] for line in lines if line["event"] == "alert"] == ["circuit_open"]
    [firing] = watch.firing()
    # The setting is `fail_fast`: another provider that is well helps nobody.
    assert (firing.severity, firing.detail) == (
        "fail",
        "toss: FORCED_OPEN by an operator, until it is set back to automatic; nobody can pay",
    )
    await runtime.payments.force_circuit("toss", Mode.CLOSED)
    await scene.runtime.payments.refresh()
    await scene.looks(watch, times=3)
    assert scene.told("circuit_open") == ["fired", "resolved"]
    found = await rows(runtime, "SELECT action, subject, actor FROM audit WHERE action LIKE 'alert.%' ORDER BY id")
    assert [tuple(row) for row in found] == [
        ("alert.fired", "circuit_open", "onsale"),
        ("alert.resolved", "circuit_open", "onsale"),
    ]


async def test_each_fault_is_noticed(scene: Scene, runtime: Runtime, make_event: MakeEvent) -> None:
    """Board lost, sweep stopped, admission stalled, relay stuck, dead letters, a silent process: each by its name."""
    event = await make_event(active_limit=1)
    watch = scene.process()
    room: WaitingRoom = runtime.waiting_room
    for visitor in ("v_a", "v_b"):
        await room.join(event, visitor)
    await runtime.redis.zrem(keys.active_users(event.slug), "v_a")  # there is room now, and nobody sweeps
    other = await make_event()
    await runtime.redis.hdel(keys.JOBS, "sweep")
    await runtime.redis.delete(keys.board_version(other.slug))
    await runtime.database.execute(
        "INSERT INTO outbox (reservation_id, type, payload, created_at) "
        "VALUES (gen_random_uuid(), 'reservation.paying', '{}', now() - interval '1 hour')"
    )
    await runtime.pipeline.dead_letters.bury(consumer="email", source="outbox/watch", error="x", attempts=1)
    silent = replace(runtime.vitals.read(), host="another-machine", at=runtime.clock.now().timestamp() - 60)
    await runtime.redis.hset(keys.VITALS, "silent", orjson.dumps(asdict(silent)))
    await scene.looks(watch, times=4)
    assert [alert.name for alert in watch.firing() if not alert.said] == [], "each can be told in another language"
    assert {(alert.name, alert.subject) for alert in watch.firing()} == {
        ("board_lost", other.slug),
        ("sweep_stopped", "-"),
        ("admission_stalled", event.slug),
        ("relay_stuck", "-"),
        ("dead_letters", "-"),
        ("process_silent", "-"),
    }
    await runtime.redis.hdel(keys.VITALS, "silent")
    await Successes(runtime.redis).note("sweep", 600)
    await runtime.seats.ensure_board(other)
    await room.sweep(event)
    await runtime.database.execute("DELETE FROM outbox WHERE sent_at IS NULL")
    await runtime.database.execute("UPDATE dead_letters SET retried_at = now()")
    await scene.looks(watch, times=3)
    assert watch.firing() == []
    await runtime.redis.hdel(keys.JOBS, "sweep")
    assert sorted(name for news, name, _ in scene.channel.told if news == "resolved") == [
        "admission_stalled",
        "board_lost",
        "dead_letters",
        "process_silent",
        "relay_stuck",
        "sweep_stopped",
    ]


@pytest.mark.parametrize("how", ["cut", "hang"])
async def test_redis_away_is_told_once_by_all_processes_together(scene: Scene, how: str) -> None:
    """Nobody has a lease then: PostgreSQL decides who speaks."""
    watches = [scene.process(name) for name in ("one", "two", "three")]
    await scene.looks(*watches, times=2)
    if how == "cut":
        await scene.redis.cut()
    else:
        scene.redis.hang()
    await scene.look_at_once(*watches, times=2)
    assert scene.channel.told == [("fired", "redis_away", "-")]
    assert all([alert.name for alert in watch.firing()] == ["redis_away"] for watch in watches)
    await scene.redis.restore()
    # A minute by PostgreSQL's own clock has not passed in this test.
    await scene.runtime.database.execute("DELETE FROM audit WHERE action = 'alert.told'")
    await scene.looks(*watches, times=3)
    assert scene.told("redis_away") == ["fired", "resolved"]


async def test_with_both_stores_away_somebody_still_speaks(scene: Scene) -> None:
    watch = scene.process()
    await scene.looks(watch)
    await scene.redis.cut()
    await scene.postgres.cut()
    await scene.looks(watch, times=3)
    assert {name for _, name, _ in scene.channel.told} == {"redis_away", "postgres_away"}


async def test_consumers_that_are_behind_are_told(scene: Scene) -> None:
    """S20: from the brokers' own figures; a Kafka that does not tell them resolves nothing."""
    groups_now: Mapping[str, GroupLag] | None = {"email": GroupLag(1500, 1), "sales": GroupLag(3, 1)}

    async def groups() -> Mapping[str, GroupLag]:
        if groups_now is None:
            raise BusUnavailable("no answer")
        return groups_now

    scene.groups = groups  # type: ignore[assignment]
    watch = scene.process()
    await scene.looks(watch, times=3)
    [alert] = watch.firing()
    assert (alert.name, alert.severity) == ("consumer_lag", "warn")
    assert alert.detail == "email is 1500 messages behind, 1 members in its group"
    groups_now = None
    await scene.looks(watch, times=3)
    assert {alert.name for alert in watch.firing()} == {"consumer_lag", "kafka_away"}
    groups_now = {"email": GroupLag(0, 1), "sales": GroupLag(0, 1)}
    await scene.looks(watch, times=3)
    assert watch.firing() == []
    assert scene.channel.told == [
        ("fired", "consumer_lag", "-"),
        ("fired", "kafka_away", "-"),
        ("resolved", "kafka_away", "-"),
        ("resolved", "consumer_lag", "-"),
    ]


@pytest.mark.parametrize("how", ["refuses", "hangs"])
async def test_kafka_away_does_not_hold_the_watch_up(
    scene: Scene, settings: Settings, stores: Engines, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The product's own wiring: `runtime.watch` asks the brokers that the settings name."""
    monkeypatch.setattr(event_pipeline, "_KAFKA_PATIENCE_SECONDS", 0.2)
    # A port that takes connections and says nothing, or that nobody has any more.
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    if how == "refuses":
        listening.close()
    named = settings.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{port}"})
    async with open_runtime(named, stores) as runtime, asyncio.timeout(PATIENCE):
        for _ in range(3):
            await runtime.watch.run()
        [alert] = runtime.watch.firing()
    assert (alert.name, alert.severity) == ("kafka_away", "fail")
    listening.close()


async def test_postgresql_away_says_nothing_of_what_it_knew(scene: Scene, runtime: Runtime) -> None:
    """An alert about the outbox is not resolved because nobody can look into the outbox."""
    await runtime.pipeline.dead_letters.bury(consumer="email", source="outbox/unknown", error="x", attempts=1)
    watch = scene.process()
    await scene.looks(watch, times=2)
    assert scene.told("dead_letters") == ["fired"]
    await scene.postgres.cut()
    await scene.looks(watch, times=4)
    assert {alert.name for alert in watch.firing()} == {"dead_letters", "postgres_away"}
    assert scene.told("dead_letters") == ["fired"]
    await scene.postgres.restore()
    await runtime.database.execute("UPDATE dead_letters SET retried_at = now()")
    await scene.looks(watch, times=4)
    assert scene.told("dead_letters") == ["fired", "resolved"]


@pytest.mark.usefixtures("patient_circuits")
async def test_the_next_process_goes_on_with_the_book(scene: Scene, runtime: Runtime) -> None:
    """The one that looked dies after it told that something fires: its end is told by another."""
    first, second = scene.process("one"), scene.process("two")
    await runtime.payments.force_circuit("kcp", Mode.FORCED_OPEN)
    await scene.runtime.payments.refresh()
    await scene.looks(first, second, times=2)
    assert [alert.name for alert in second.firing()] == ["circuit_open"], "every process's console shows it"
    assert [alert.said["key"] for alert in second.firing() if alert.said] == ["circuit.not_asked"], "in its language"
    await runtime.redis.delete(keys.job_lease("health_watch"))
    await runtime.payments.force_circuit("kcp", Mode.CLOSED)
    await scene.runtime.payments.refresh()
    await scene.looks(second, times=3)
    assert scene.told("circuit_open") == ["fired", "resolved"]


@pytest.mark.usefixtures("patient_circuits")
async def test_what_slack_did_not_take_is_told_later(scene: Scene, runtime: Runtime) -> None:
    watch = scene.process()
    await scene.looks(watch)
    scene.channel.away = MessengerAway("Slack answered 500", 200.0)
    await runtime.payments.force_circuit("toss", Mode.FORCED_OPEN)
    await scene.runtime.payments.refresh()
    await scene.looks(watch, times=2)
    scene.channel.away = None
    await scene.looks(watch)
    assert scene.channel.told == [], "it asked for 200 seconds"
    await scene.looks(watch, times=2)
    assert scene.channel.told == [("fired", "circuit_open", "-")]


async def test_it_says_what_was_mended_by_itself(scene: Scene, runtime: Runtime, make_event: MakeEvent) -> None:
    """S32: seats mended by the consistency job, a board rebuilt, locks deleted: counted, once."""
    event = await make_event()
    watch = scene.process()
    await runtime.seats.ensure_board(event)
    await delete_stray_locks(runtime.redis, runtime.database)  # what other tests left behind is not counted here
    await scene.looks(watch, times=2)
    await runtime.database.execute(
        "UPDATE seats SET status = 'SOLD', updated_at = now() WHERE event_id = :id AND ordinal IN (2, 3)",
        {"id": event.id},
    )
    rounds = open_rounds(
        runtime.settings,
        events=runtime.events,
        reconcile=runtime.reconcile,
        clock=runtime.clock,
        database=runtime.database,
    )
    await rounds.run()
    await runtime.redis.delete(keys.board_version(event.slug))
    await runtime.seats.ensure_board(event)
    await runtime.redis.set("lock:nobody", "x")
    await delete_stray_locks(runtime.redis, runtime.database)
    await scene.looks(watch, times=3)
    assert sorted(scene.channel.healed) == [
        ("boards rebuilt from PostgreSQL", event.slug, 1),
        ("locks without a TTL deleted", "-", 1),
        ("seats mended in Redis", event.slug, 2),
    ]


async def test_the_startup_warns_of_an_eviction_policy(settings: Settings, stores: Engines, runtime: Runtime) -> None:
    """S11: allkeys-lru, as the source proposes it, would throw away holds and boards."""
    try:
        await runtime.redis.config_set("maxmemory", 1 << 30)
        await runtime.redis.config_set("maxmemory-policy", "allkeys-lru")
        with structlog.testing.capture_logs() as lines:
            async with open_runtime(settings, stores):
                pass
        warned = [line for line in lines if "maxmemory-policy noeviction" in line["event"]]
        assert [line["policy"] for line in warned] == ["allkeys-lru"]
    finally:
        await runtime.redis.config_set("maxmemory", 0)
        await runtime.redis.config_set("maxmemory-policy", "noeviction")
    with structlog.testing.capture_logs() as lines:
        async with open_runtime(settings, stores):
            pass
    assert not [line for line in lines if "noeviction" in line["event"]]


async def test_one_of_many_is_told_that_it_may_write(runtime: Runtime) -> None:
    """`record_once` under a crowd."""
    await runtime.database.execute("DELETE FROM audit WHERE action = 'test.once'")
    said = await asyncio.gather(
        *(audit.record_once(runtime.database, actor="t", action="test.once", subject="-", seconds=60) for _ in range(8))
    )
    assert sorted(said) == [False] * 7 + [True]
