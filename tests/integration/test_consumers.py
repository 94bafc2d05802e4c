"""Consumers behind the local bus (S19, S22, rule 7): the effect once, failures apart, dead letters and back."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import databases
import pytest

from core.database import raw
from core.messaging.bus_local import LocalBus
from core.messaging.composition import open_pipeline
from core.messaging.consumer import Consumer
from core.messaging.dead_letters_postgres import DeadLetters
from core.messaging.delivery_postgres import deliver
from core.messaging.outbox_postgres import Outbox
from core.messaging.purge_postgres import purge
from core.messaging.relay import Relay, RelayPace
from core.messaging.reservation_message import EventType, ReservationMessage, parse
from core.messaging.retry import RetryPlan
from core.notifications.composition import email_consumer, open_mailer
from core.process.supervisor import Supervisor
from core.settings import Settings
from tests.ledger_consumer import Ledger, effects
from tests.outbox_rows import fetch, payload, write
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient")


def event(reservation: uuid.UUID | None = None, **fields: object) -> ReservationMessage:
    return parse(uuid.uuid4(), "reservation.confirmed", payload(reservation or uuid.uuid4(), **fields))


def relay(database: databases.Database, *consumers: Consumer, tries: int = 3) -> Relay:
    retries = RetryPlan(tries, first_pause=0.0, away_seconds=0.0)
    return Relay(
        outbox=Outbox(database, process="test"),
        bus=LocalBus(database=database, consumers=consumers, retries=retries),
        retries=retries,
        pace=RelayPace(batch=100, idle_seconds=0.01, lease_seconds=15),
    )


@pytest.mark.parametrize("batch", [1, 50])
async def test_the_same_event_many_times_at_once_has_one_effect(database: databases.Database, batch: int) -> None:
    events = [event() for _ in range(10)]
    consumers = [Ledger(batch=batch) for _ in range(6)]
    await asyncio.gather(*(deliver(database, consumer, events) for consumer in consumers))
    assert await effects(database) == Counter(event.uid for event in events)
    repeated = await deliver(database, consumers[0], [*events, *events])
    assert not repeated.failed
    assert sum((await effects(database)).values()) == 10


async def test_an_effect_that_fails_leaves_neither_effect_nor_mark(database: databases.Database) -> None:
    one = event()
    ledger = Ledger()
    ledger.spoiled = {one.uid}
    delivery = await deliver(database, ledger, [one])
    assert list(delivery.failed) == [one.uid]
    assert await effects(database) == Counter()
    ledger.spoiled.clear()
    assert not (await deliver(database, ledger, [one])).failed
    assert await effects(database) == Counter([one.uid])


async def test_a_spoiled_event_in_a_batch_does_not_take_the_others_with_it(database: databases.Database) -> None:
    reservation = uuid.uuid4()
    events = [event(), event(reservation), event(reservation), event()]
    ledger = Ledger(batch=50)
    ledger.spoiled = {events[1].uid}
    delivery = await deliver(database, ledger, events)
    assert list(delivery.failed) == [events[1].uid]
    # The next event of the same reservation keeps its place behind the failed one.
    assert delivery.held == {events[2].uid}
    assert await effects(database) == Counter([events[0].uid, events[3].uid])


async def test_events_that_a_consumer_does_not_want_cost_it_nothing(database: databases.Database) -> None:
    ledger = Ledger()
    ledger.types = {EventType.PAYING}
    await deliver(database, ledger, [event()])
    assert ledger.calls == []
    assert await fetch(database, "SELECT * FROM processed_events") == []


async def test_one_consumers_failure_is_not_the_others(database: databases.Database) -> None:
    _, uid = await write(database)
    good, bad = Ledger("good"), Ledger("bad")
    bad.spoiled = {uid}
    mover = relay(database, good, bad, tries=3)
    for _ in range(3):
        assert await effects(database, "bad") == Counter()
        assert await mover.step() == 1
    assert await mover.step() == 0
    assert good.calls == [[uid]]
    assert bad.calls == [[uid]] * 3
    (letter,) = await DeadLetters(database).list()
    assert (letter.consumer, letter.event_uid, letter.attempts) == ("bad", uid, 3)
    assert "spoiled" in letter.error

    # Mended and sent again: for the one that failed, and not for the other, whatever became of its mark.
    bad.spoiled.clear()
    await fetch(database, "DELETE FROM processed_events")
    assert await DeadLetters(database).retry([letter.id]) == 1
    assert await DeadLetters(database).retry([letter.id]) == 0
    assert await mover.step() == 1
    assert await effects(database, "bad") == Counter([uid])
    assert await effects(database, "good") == Counter([uid])


async def test_a_dependency_that_is_away_never_makes_a_dead_letter(database: databases.Database) -> None:
    _, uid = await write(database)
    ledger = Ledger()
    ledger.away = True
    mover = relay(database, ledger, tries=2)
    for _ in range(10):
        assert await mover.step() == 1
    assert await DeadLetters(database).count() == 0
    ledger.away = False
    assert await mover.step() == 1
    assert await effects(database) == Counter([uid])


async def test_a_dependency_that_is_away_is_tried_once_a_batch(database: databases.Database) -> None:
    """E1: what one message has met stands for the others; each of them waits, and none is blamed."""
    uids = [(await write(database))[1] for _ in range(5)]
    ledger = Ledger(concurrency=1)
    ledger.away = True
    mover = relay(database, ledger, tries=2)
    assert await mover.step() == 5
    assert len(ledger.calls) == 1
    ledger.away = False
    assert await mover.step() == 5
    assert await effects(database) == Counter(uids)
    assert await DeadLetters(database).count() == 0


async def test_an_unreadable_row_becomes_a_dead_letter_of_the_relay(database: databases.Database) -> None:
    await write(database, amount="a lot")
    mover = relay(database, Ledger(), tries=2)
    for _ in range(2):
        await mover.step()
    (letter,) = await DeadLetters(database).list()
    assert letter.consumer == "relay"
    assert letter.error.startswith("unreadable: amount")


async def test_marks_and_sent_rows_are_purged_after_their_time_and_nothing_else(database: databases.Database) -> None:
    old, _ = await write(database)
    young, _ = await write(database)
    unsent, _ = await write(database)
    await fetch(
        database,
        "UPDATE outbox SET sent_at = now() - CASE WHEN id = $1 THEN interval '8 days' ELSE interval '6 days' END "
        "WHERE id = ANY($2::bigint[])",
        old,
        [old, young],
    )
    await fetch(database, "UPDATE outbox SET created_at = now() - interval '30 days'")
    await fetch(
        database,
        "INSERT INTO processed_events "
        "SELECT 'x', gen_random_uuid(), now() - n * interval '1 day' FROM generate_series(1, 10) n",
    )
    await fetch(
        database,
        "INSERT INTO audit (actor, action, subject, at) SELECT actor, 'purged', '-', now() - days * interval '1 day' "
        "FROM unnest(ARRAY['onsale', 'cli:kim']) actor, unnest(ARRAY[29, 31, 401]) days",
    )
    deleted = await purge(database, days=7)
    assert deleted == {
        "processed_events": 4,
        "outbox": 1,
        "dead_letters": 0,
        "payment_findings": 0,
        "in_hand": 0,
        "audit": 3,
        "failure_mails": 0,
        "mail_allowances": 0,
        "removals": 0,
        "turns": 0,
        "wishes": 0,
    }
    kept = await fetch(database, "SELECT actor FROM audit WHERE action = 'purged' ORDER BY at DESC, actor")
    assert [row["actor"] for row in kept] == ["cli:kim", "onsale", "cli:kim"], "what people did is kept for a year"
    left = await fetch(database, "SELECT id FROM outbox ORDER BY id")
    assert [row["id"] for row in left] == [young, unsent]


async def test_the_pipeline_writes_one_e_mail_file_for_each_event(
    database: databases.Database, settings: Settings, tmp_path: Path
) -> None:
    """The embedded default, end to end: outbox -> local bus -> e-mail, once, with two processes at it."""
    uids = {str((await write(database))[1]) for _ in range(10)}
    await write(database, "reservation.paying")
    mine = settings.model_copy(update={"data": tmp_path, "outbox_seconds": 0.01})
    supervisor = Supervisor()
    pipelines = [
        open_pipeline(
            mine,
            database=database,
            supervisor=supervisor,
            process=name,
            consumers=[email_consumer(mine, open_mailer(mine))],
        )
        for name in ("a", "b")
    ]
    for pipeline in pipelines:
        await pipeline.start()
    async with asyncio.timeout(PATIENCE):
        while (await pipelines[0].lag()).unsent:
            await asyncio.sleep(0.01)
    for pipeline in pipelines:
        await pipeline.stop()
    assert {file.stem for file in (tmp_path / "mail").iterdir()} == uids
    assert await supervisor.drain(PATIENCE) == 0


async def test_a_killed_transaction_gives_the_event_back(database: databases.Database) -> None:
    """What a process that dies between effect and commit leaves behind: nothing."""
    one = event()
    started = asyncio.Event()

    class Hanging(Ledger):
        async def handle(self, connection: asyncpg.Connection, events: Sequence[ReservationMessage]) -> None:
            await super().handle(connection, events)
            started.set()
            await asyncio.Event().wait()

    dying = asyncio.create_task(deliver(database, Hanging(), [one]))
    async with asyncio.timeout(PATIENCE):
        await started.wait()
    async with raw(database) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE state = 'idle in transaction' AND query LIKE 'INSERT INTO test_effects%'"
        )
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert not (await deliver(database, Ledger(), [one])).failed
    assert await effects(database) == Counter([one.uid])
