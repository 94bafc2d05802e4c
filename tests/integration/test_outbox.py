"""The outbox and its relay on a real PostgreSQL (S18, rule 7): claims, leases, order, laggards, pauses."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import databases
import pytest

from core.errors import StoreUnavailable
from core.messaging import outbox_postgres
from core.messaging.bus import BusUnavailable, Deferral
from core.messaging.dead_letters_postgres import DeadLetters
from core.messaging.outbox_postgres import Outbox, OutboxRow
from core.messaging.relay import Relay, RelayPace
from core.messaging.retry import RetryPlan
from tests.outbox_rows import fetch, write
from tests.waits import PATIENCE, until

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
def outbox(database: databases.Database) -> Outbox:
    return Outbox(database, process="test")


class RecordingBus:
    """Takes rows, or does to them what a test says."""

    name = "recording"
    at_once = 1

    def __init__(self) -> None:
        self.taken: list[OutboxRow] = []
        self.away = False
        self.refuse: dict[int, Deferral] = {}

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def publish(self, rows: Sequence[OutboxRow]) -> Mapping[int, Deferral]:
        if self.away:
            raise BusUnavailable("away")
        refused = {row.id: self.refuse[row.id] for row in rows if row.id in self.refuse}
        self.taken += [row for row in rows if row.id not in refused]
        return refused


def relay(outbox: Outbox, bus: RecordingBus, *, batch: int = 100, lease: float = 15, tries: int = 3) -> Relay:
    return Relay(
        outbox=outbox,
        bus=bus,
        retries=RetryPlan(tries, first_pause=0.0),
        pace=RelayPace(batch, idle_seconds=0.01, lease_seconds=lease),
    )


async def test_a_claimed_row_is_nobody_elses_until_its_lease_ends(database: databases.Database, outbox: Outbox) -> None:
    id_, uid = await write(database)
    first = await outbox.claim(10, 30)
    assert [(row.id, row.event_uid, row.attempts) for row in first.rows] == [(id_, uid, 1)]
    assert (await outbox.claim(10, 30)).rows == ()
    await fetch(database, "UPDATE outbox SET claimed_until = now() - interval '1 second'")
    second = await outbox.claim(10, 30)
    assert [row.attempts for row in second.rows] == [2]
    # The first relay was only slow: what it says now is about a lease that is gone.
    assert await outbox.mark_sent(first, [id_]) == 0
    await outbox.defer(first, [(id_, 0.0, "late", True)])
    await outbox.bury(first, first.rows[0], consumer="relay", error="late")
    assert (await outbox.lag()).unsent == 1
    assert await DeadLetters(database).count() == 0
    assert await outbox.mark_sent(second, [id_]) == 1
    assert (await outbox.lag()).unsent == 0


async def test_a_later_row_waits_for_the_earlier_one_of_its_reservation(
    database: databases.Database, outbox: Outbox
) -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    first, _ = await write(database, "reservation.paying", reservation=one)
    second, _ = await write(database, "reservation.confirmed", reservation=one)
    stranger, _ = await write(database, "reservation.paying", reservation=other)
    claim = await outbox.claim(10, 30)
    assert [row.id for row in claim.rows] == [first, stranger]
    # Given back for later: the second still waits, though the first is not claimed by anybody.
    await outbox.defer(claim, [(first, 60.0, "not now", True)])
    assert (await outbox.claim(10, 30)).rows == ()
    await fetch(database, "UPDATE outbox SET claimed_until = NULL WHERE id = $1", first)
    claim = await outbox.claim(10, 30)
    assert [row.id for row in claim.rows] == [first]
    await outbox.mark_sent(claim, [first])
    assert [row.id for row in (await outbox.claim(10, 30)).rows] == [second]


class UnevenBus(RecordingBus):
    """Of uneven speed."""

    async def publish(self, rows: Sequence[OutboxRow]) -> Mapping[int, Deferral]:
        await asyncio.sleep(random.random() * 0.02)
        return await super().publish(rows)


class LastComeFirst(RecordingBus):
    """The rows that it gets first arrive when the first later one of their reservations has."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[OutboxRow] = []

    async def publish(self, rows: Sequence[OutboxRow]) -> Mapping[int, Deferral]:
        if not self.waiting:
            self.waiting = list(rows)
            theirs = {row.reservation_id for row in rows}
            await until(lambda: any(row.reservation_id in theirs for row in self.taken))
        return await super().publish(rows)


async def _five_relays(database: databases.Database, bus: RecordingBus) -> tuple[int, bool]:
    """120 rows of 40 reservations through five relays: rows taken, and whether each reservation's came in order."""
    reservations = [uuid.uuid4() for _ in range(40)]
    written: dict[UUID, list[int]] = {one: [] for one in reservations}
    for step in ("paying", "confirmed", "cancelled"):
        for one in random.sample(reservations, len(reservations)):
            written[one].append((await write(database, f"reservation.{step}", reservation=one))[0])
    relays = [relay(Outbox(database, process=f"p{number}"), bus, batch=7) for number in range(5)]
    tasks = [asyncio.create_task(each.run()) for each in relays]
    async with asyncio.timeout(PATIENCE):
        while (await Outbox(database, process="eye").lag()).unsent:
            await asyncio.sleep(0.01)
    for each in relays:
        each.stop()
    await asyncio.gather(*tasks)
    sent = {one: [row.id for row in bus.taken if row.reservation_id == one] for one in reservations}
    return len(bus.taken), sent == written


async def test_many_relays_send_each_row_once_and_each_reservation_in_order(database: databases.Database) -> None:
    """Rule 7 with five relays at once."""
    assert await _five_relays(database, UnevenBus()) == (120, True)


async def test_without_the_earlier_row_condition_the_order_breaks(
    database: databases.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the test above: the race that it looks for is real."""
    guarded = outbox_postgres._CLAIM
    start, end = guarded.index("      AND NOT EXISTS"), guarded.index("    ORDER BY o.id")
    monkeypatch.setattr(outbox_postgres, "_CLAIM", guarded[:start] + guarded[end:])
    _, in_order = await _five_relays(database, LastComeFirst())
    assert not in_order


async def test_a_bus_that_is_away_costs_a_row_nothing(database: databases.Database, outbox: Outbox) -> None:
    """Kafka away for an hour: rows keep their tries, and go when it is back."""
    id_, _ = await write(database)
    bus = RecordingBus()
    bus.away = True
    one = relay(outbox, bus, tries=2)
    for _ in range(5):
        with pytest.raises(BusUnavailable):
            await one.step()
    bus.away = False
    assert await one.step() == 1
    assert [(row.id, row.attempts) for row in bus.taken] == [(id_, 1)]


async def test_a_postgresql_that_is_slow_costs_a_row_nothing(database: databases.Database, outbox: Outbox) -> None:
    """Relaying has more patience than the consumers of the local bus: their refusals are no death of a process."""
    id_, _ = await write(database)

    class SlowBus(RecordingBus):
        async def publish(self, rows: Sequence[OutboxRow]) -> Mapping[int, Deferral]:
            if self.away:
                raise StoreUnavailable
            return await super().publish(rows)

    bus = SlowBus()
    bus.away = True
    one = relay(outbox, bus, lease=0.01, tries=3)
    for _ in range(5):
        with pytest.raises(StoreUnavailable):
            await one.step()
        async with asyncio.timeout(PATIENCE):
            while await fetch(database, "SELECT 1 FROM outbox WHERE claimed_until > now()"):
                await asyncio.sleep(0.01)
    bus.away = False
    assert await one.step() == 1
    assert [(row.id, row.attempts) for row in bus.taken] == [(id_, 1)]


async def test_a_row_that_nobody_can_take_becomes_a_dead_letter_and_lets_the_next_go(
    database: databases.Database, outbox: Outbox
) -> None:
    one = uuid.uuid4()
    bad, uid = await write(database, "reservation.paying", reservation=one)
    good, _ = await write(database, "reservation.confirmed", reservation=one)
    bus = RecordingBus()
    bus.refuse[bad] = Deferral(0.0, "cannot be encoded")
    mover = relay(outbox, bus, tries=3)
    for _ in range(3):
        assert bus.taken == []
        await mover.step()
    letters = await DeadLetters(database).list()
    assert [(letter.consumer, letter.event_uid, letter.attempts) for letter in letters] == [("relay", uid, 3)]
    assert letters[0].error == "cannot be encoded"
    await mover.step()
    assert [row.id for row in bus.taken] == [good]
    # Sent again once it can be encoded: to everybody, under the same uid.
    bus.refuse.clear()
    assert await DeadLetters(database).retry() == 1
    await mover.step()
    assert [(row.event_uid, row.only_for) for row in bus.taken[1:]] == [(uid, None)]
    assert await DeadLetters(database).count() == 0


async def test_the_lease_is_renewed_while_a_batch_takes_long(database: databases.Database, outbox: Outbox) -> None:
    await write(database)
    renewed = asyncio.Event()

    class SlowBus(RecordingBus):
        async def publish(self, rows: Sequence[OutboxRow]) -> Mapping[int, Deferral]:
            (before,) = await fetch(database, "SELECT claimed_until FROM outbox")
            while (await fetch(database, "SELECT claimed_until FROM outbox"))[0] == before:
                await asyncio.sleep(0.01)
            renewed.set()
            return await super().publish(rows)

    bus = SlowBus()
    async with asyncio.timeout(PATIENCE):
        assert await relay(outbox, bus, lease=1.5).step() == 1
    assert renewed.is_set()
    assert (await outbox.lag()).unsent == 0


async def test_a_hint_saves_the_wait(
    database: databases.Database, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus, real, looked = RecordingBus(), outbox.claim, asyncio.Event()

    async def claim(*arguments: Any, **named: Any) -> Any:
        found = await real(*arguments, **named)
        looked.set()
        return found

    monkeypatch.setattr(outbox, "claim", claim)
    lazy = Relay(outbox=outbox, bus=bus, retries=RetryPlan(3), pace=RelayPace(10, idle_seconds=3600, lease_seconds=15))
    task = asyncio.create_task(lazy.run())
    # It has looked once, and there was nothing: by itself it looks again in an hour.
    async with asyncio.timeout(PATIENCE):
        await looked.wait()
    await write(database)
    async with asyncio.timeout(PATIENCE):
        while not bus.taken:
            lazy.wake()
            await asyncio.sleep(0.01)
    lazy.stop()
    async with asyncio.timeout(PATIENCE):
        await task


async def test_what_was_claimed_ahead_is_given_back_when_the_bus_goes_away(
    database: databases.Database, outbox: Outbox
) -> None:
    """Two full batches are in hand when the bus fails: both are free for any relay at once, and cost no try."""
    for _ in range(6):
        await write(database)

    class FailingBus(RecordingBus):
        async def publish(self, rows: Sequence[OutboxRow]) -> Mapping[int, Deferral]:
            while self.away and len(await fetch(database, "SELECT 1 FROM outbox WHERE claimed_by IS NOT NULL")) < 4:
                await asyncio.sleep(0.01)
            return await super().publish(rows)

    bus = FailingBus()
    bus.away = True
    mover = relay(outbox, bus, batch=2)
    task = asyncio.create_task(mover.run())

    async with asyncio.timeout(PATIENCE):
        while not await fetch(database, "SELECT 1 FROM outbox WHERE error = 'it failed a moment ago'"):
            await asyncio.sleep(0.01)
    mover.stop()
    async with asyncio.timeout(PATIENCE):
        await task
    assert await fetch(database, "SELECT id FROM outbox WHERE claimed_by IS NOT NULL") == []
    assert [row["attempts"] for row in await fetch(database, "SELECT attempts FROM outbox")] == [0] * 6
    bus.away = False
    await relay(outbox, bus, batch=100).step()
    assert len(bus.taken) == 6


async def test_the_lease_of_a_batch_that_waits_for_its_turn_is_renewed(
    database: databases.Database, outbox: Outbox
) -> None:
    """A batch takes longer than a lease, and the next one is claimed already: no other relay sends either."""
    for _ in range(4):
        await write(database)
    (begun,) = await fetch(database, "SELECT now() AS at")

    class SlowBus(RecordingBus):
        async def publish(self, rows: Sequence[OutboxRow]) -> Mapping[int, Deferral]:
            leases = "SELECT 1 FROM outbox WHERE claimed_until > $1::timestamptz + interval '7 seconds'"
            while not self.taken and len(await fetch(database, leases, begun["at"])) < 4:
                await asyncio.sleep(0.01)
            return await super().publish(rows)

    bus, other = SlowBus(), RecordingBus()
    mover, rival = relay(outbox, bus, batch=2, lease=6), relay(outbox, other, batch=2, lease=6)
    task = asyncio.create_task(mover.run())
    async with asyncio.timeout(PATIENCE):
        while (await outbox.lag()).unsent:
            if len(await fetch(database, "SELECT 1 FROM outbox WHERE claimed_by IS NOT NULL")) == 4:
                await rival.step()
            await asyncio.sleep(0.01)
    mover.stop()
    await task
    assert len(bus.taken) == 4
    assert other.taken == []


async def test_a_relay_that_is_cut_off_cuts_its_batches_off(database: databases.Database, outbox: Outbox) -> None:
    """A process that must end now does not wait for a bus that hangs; the rows are claimed again after their lease."""
    await write(database)
    reached, cut = asyncio.Event(), asyncio.Event()

    class HangingBus(RecordingBus):
        async def publish(self, rows: Sequence[OutboxRow]) -> Mapping[int, Deferral]:
            reached.set()
            try:
                await asyncio.Event().wait()
            finally:
                cut.set()
            return {}

    task = asyncio.create_task(relay(outbox, HangingBus()).run())
    async with asyncio.timeout(PATIENCE):
        await reached.wait()
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert cut.is_set()
    assert (await outbox.lag()).unsent == 1


async def test_a_row_that_kills_its_process_is_handed_over_alone_and_given_up(
    database: databases.Database, outbox: Outbox
) -> None:
    """S19 on the local bus: nobody is left to count such a try. Its companions go, and are not blamed."""
    ids = [(await write(database))[0] for _ in range(5)]
    killer = ids[2]

    class DeadlyBus(RecordingBus):
        async def publish(self, rows: Sequence[OutboxRow]) -> Mapping[int, Deferral]:
            if killer in [row.id for row in rows]:
                # As a process that is gone leaves it: neither marked nor given back.
                raise asyncio.CancelledError
            return await super().publish(rows)

    bus, died = DeadlyBus(), 0
    while (await outbox.lag()).unsent:
        try:
            await relay(outbox, bus, tries=3).step()
        except asyncio.CancelledError:
            died += 1
            assert died <= 3
            await fetch(database, "UPDATE outbox SET claimed_until = now() WHERE claimed_by IS NOT NULL")
    # Twice with a batch in hand, once alone.
    assert died == 3
    assert sorted(row.id for row in bus.taken) == sorted(set(ids) - {killer})
    (letter,) = await DeadLetters(database).list()
    assert (letter.consumer, letter.source) == ("relay", f"outbox/{killer}")
    assert letter.error == "3 processes did not come to an end with it"


async def test_lag_is_rows_and_the_age_of_the_oldest(database: databases.Database, outbox: Outbox) -> None:
    assert await outbox.lag() == type(await outbox.lag())(0, 0.0)
    old, _ = await write(database)
    await write(database)
    await fetch(database, "UPDATE outbox SET created_at = now() - interval '90 seconds' WHERE id = $1", old)
    lag = await outbox.lag()
    assert lag.unsent == 2
    assert 90 <= lag.seconds < 90 + PATIENCE
