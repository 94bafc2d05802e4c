"""Purchases that meet in one process share a commit, and each has its own outcome (E1, P1, rules 1 and 2)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import databases
import pytest

import core.database
from core.booking.attempt import AttemptState, confirm_key, order_number
from core.booking.reservation import Change, Reservation
from core.booking.reservations_postgres import Reservations
from core.booking.statements_postgres import STATEMENTS
from core.booking.stored import AttemptChange, ClaimLost, NewReservation
from core.database import LOCK_SECONDS, close_database, open_database, raw
from core.embedded import Engines
from core.errors import InvalidRequest, OutcomeUnknown, StoreUnavailable
from core.payments.gateway import Authorisation
from core.runtime import Runtime
from core.venue.event import Event
from tests.booking import rows
from tests.conftest import MakeEvent
from tests.orders import new_reservation
from tests.own_database import own_database

AT_WORK = (AttemptState.AUTHORISED, AttemptState.CALLED)


@pytest.fixture
def reservations(runtime: Runtime) -> Reservations:
    return Reservations(runtime.database, lease_seconds=60, deadline_seconds=600)


#: As many times what the product gives a lock, and an answer.
LONGER = 3


@pytest.fixture
async def unhurried(stores: Engines, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reservations]:
    """A lock is given up half a second before its answer would be: a busy machine may be later than that."""
    monkeypatch.setattr(core.database, "ANSWER_SECONDS", LONGER * core.database.ANSWER_SECONDS)
    session = core.database._SESSION
    longer = session.replace(f"{LOCK_SECONDS * 1000:.0f}", f"{LONGER * LOCK_SECONDS * 1000:.0f}")
    assert longer != session
    monkeypatch.setattr(core.database, "_SESSION", longer)
    database = await open_database(stores.database_url, 20)
    yield Reservations(database, lease_seconds=60, deadline_seconds=600)
    await close_database(database)


def new(event: Event, number: int, seats: Sequence[int], email: str = "", key: str = "k") -> NewReservation:
    return new_reservation(event, f"v{number}", seats=seats, key=key, email=email or f"{number}@example.org")


async def begun(reservations: Reservations, event: Event, count: int) -> list[Reservation]:
    made = await asyncio.gather(*(reservations.begin(new(event, n, [n]), "t") for n in range(count)))
    assert all(one is not None and one.seats == (n,) for n, one in enumerate(made)), "each has its own row"
    return [one for one in made if one is not None]


async def test_a_crowd_shares_transactions_from_its_begin_to_its_end(
    reservations: Reservations, runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event(seats=40)
    made = await begun(reservations, event, 40)
    orders = [order_number(one.id, 1) for one in made]
    bound = await asyncio.gather(*(reservations.bind(order, Authorisation(f"key-{order}"), order) for order in orders))
    assert [claim and claim.attempt.order for claim in bound] == orders
    await asyncio.gather(*(reservations.called(order, order, confirm_key(order, "k")) for order in orders))
    ended = await asyncio.gather(
        *(
            reservations.change(
                order,
                Change.CONFIRM,
                AttemptChange(AT_WORK, AttemptState.APPROVED),
                expected_token=order,
                token=order,
                ticket_code=f"code-{order}",
            )
            for order in orders
        )
    )
    assert [claim and claim.reservation.ticket_code for claim in ended] == [f"code-{order}" for order in orders]
    await asyncio.gather(*(reservations.leave(order, order, told=True) for order in orders))
    # now() is the transaction's: as many different ones as there were commits.
    (found,) = await rows(
        runtime,
        "SELECT count(*), count(DISTINCT r.created_at) AS begins, count(DISTINCT a.called_at) AS notes, "
        "count(DISTINCT r.updated_at) AS ends, count(*) FILTER (WHERE r.status = 'CONFIRMED' AND NOT a.untold "
        "AND a.claimed_by IS NULL) AS done "
        "FROM reservations r JOIN payment_attempts a ON a.reservation_id = r.id WHERE r.event_id = $1",
        event.id,
    )
    assert (found["count"], found["done"]) == (40, 40)
    assert max(found["begins"], found["notes"], found["ends"]) <= 5, "a first one alone, then up to 32 of them"


async def test_one_that_was_refused_or_spoils_the_statement_takes_no_other_along(
    reservations: Reservations, runtime: Runtime, make_event: MakeEvent
) -> None:
    """A seat that is gone, a key that was used (which is an error), a text that PostgreSQL does not take."""
    event = await make_event(seats=20)
    assert await reservations.begin(new(event, 0, [0]), "t") is not None
    asked = [new(event, 1, [0]), new(event, 0, [1]), new(event, 2, [2], "nul\x00@example.org"), new(event, 3, [3])]
    outcomes = await asyncio.gather(
        reservations.begin(new(event, 9, [9]), "t"),
        *(reservations.begin(one, "t") for one in asked),
        return_exceptions=True,
    )
    first, gone, used, broken, good = outcomes
    assert isinstance(first, Reservation)
    assert (gone, used) == (None, None)
    assert isinstance(broken, InvalidRequest)
    assert isinstance(good, Reservation)
    live = await rows(runtime, "SELECT ordinal FROM reservation_seats WHERE event_id = $1 AND live", event.id)
    assert sorted(row["ordinal"] for row in live) == [0, 3, 9]


async def test_one_that_waits_for_a_lock_is_told_so_and_its_neighbours_go_on(
    unhurried: Reservations, stores: Any, make_event: MakeEvent
) -> None:
    """Not OutcomeUnknown: PostgreSQL says that it was not carried out."""
    event = await make_event(seats=20)
    holder = await asyncpg.connect(stores.database_url)
    try:
        await holder.execute("BEGIN")
        await holder.execute("SELECT FROM seats WHERE event_id = $1 AND ordinal = 5 FOR UPDATE", event.id)
        made = await asyncio.gather(
            *(unhurried.begin(new(event, n, [n]), "t") for n in range(10)), return_exceptions=True
        )
        stuck = made.pop(5)
        assert isinstance(stuck, StoreUnavailable)
        assert not isinstance(stuck, OutcomeUnknown)
        assert all(isinstance(one, Reservation) for one in made)
    finally:
        await holder.close()
    assert await unhurried.begin(new(event, 5, [5]), "t") is not None
    assert LOCK_SECONDS < 2


async def test_of_one_buyers_purchases_in_one_commit_the_second_counts_the_first(
    reservations: Reservations, runtime: Runtime, make_event: MakeEvent
) -> None:
    """F3: what is begun and what is called within one transaction is counted as if it had been committed between."""
    event = await make_event(seats=20, max_seats=4)
    made = await asyncio.gather(
        *(reservations.begin(new(event, n, [2 * n, 2 * n + 1], "one@example.org"), "t") for n in range(4))
    )
    orders = [order_number(one.id, 1) for one in made if one is not None]
    assert len(orders) == 4, "open windows lock nobody out"
    for order in orders:
        assert await reservations.bind(order, Authorisation(f"key-{order}"), order) is not None
    of = made[0]
    noted = await asyncio.gather(
        *(reservations.called(order, order, "ik", of=of) for order in orders), return_exceptions=True
    )
    assert [isinstance(one, ClaimLost) for one in noted].count(True) == 2
    assert [one for one in noted if one is not None and not isinstance(one, ClaimLost)] == []
    (count,) = await rows(
        runtime,
        "SELECT count(*) FROM payment_attempts a JOIN reservations r ON r.id = a.reservation_id "
        "WHERE r.event_id = $1 AND a.state = 'CALLED'",
        event.id,
    )
    assert count[0] == 2


async def test_locks_that_somebody_keeps_for_a_while_leave_nobodys_outcome_unknown(
    unhurried: Reservations, stores: Any, make_event: MakeEvent
) -> None:
    """Each is waited for for less time than a statement may take, both one after the other for more (R5)."""
    event = await make_event(seats=40)
    failed: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failed.append(context["message"]))
    holders = [await asyncpg.connect(stores.database_url) for _ in range(2)]
    try:
        for holder, ordinal in zip(holders, (5, 6), strict=True):
            await holder.execute("BEGIN")
            await holder.execute("SELECT FROM seats WHERE event_id = $1 AND ordinal = $2 FOR UPDATE", event.id, ordinal)
        begun = asyncio.gather(
            *(unhurried.begin(new(event, n, [n], f"{n:02}@example.org"), "t") for n in range(20)),
            return_exceptions=True,
        )
        await asyncio.sleep(LONGER * (LOCK_SECONDS - 0.4))
        await holders[0].execute("ROLLBACK")
        made = await begun
    finally:
        for holder in holders:
            await holder.close()
    assert not [one for one in made if isinstance(one, OutcomeUnknown)]
    assert isinstance(made.pop(6), StoreUnavailable), "somebody kept it for longer than anybody waits"
    assert isinstance(made.pop(5), (Reservation, StoreUnavailable)), "refused where a busy machine let go too late"
    assert all(isinstance(one, Reservation) for one in made)
    assert failed == [], "no connection went back with an open transaction"


async def test_a_crowd_that_looks_for_its_orders_gets_each_its_own(
    reservations: Reservations, runtime: Runtime, make_event: MakeEvent
) -> None:
    """E1: those that meet are one statement; what nobody ordered is nothing, and the same may be asked for twice."""
    event = await make_event(seats=20)
    made = await begun(reservations, event, 20)
    asked = [order_number(one.id, 1) for one in made]
    found = await asyncio.gather(*map(reservations.of_order, [*asked, "0" * 32 + "a1", asked[3]]))
    assert [one and one.reservation.id for one in found] == [*(one.id for one in made), None, made[3].id]
    keys = [(f"v{number}", event.id, "k") for number in range(20)]
    stored = await asyncio.gather(*(reservations.find(*key) for key in [*keys, ("v0", event.id, "another")]))
    assert [one and one.reservation.id for one in stored] == [*(one.id for one in made), None]


@pytest.fixture(scope="module")
async def untouched(stores: Engines) -> AsyncIterator[databases.Database]:
    """Tables of which PostgreSQL has no statistics: those of the tests' own database are of whatever ran before."""
    async with own_database(stores.database_url) as url:
        database = await open_database(url, 2)
        yield database
        await close_database(database)


@pytest.mark.parametrize("name", ["begin", "bind", "called", "transition", "wait", "reopen", "failures", "used_keys"])
async def test_a_step_finds_its_reservation_by_its_key(name: str, untouched: databases.Database) -> None:
    """E1: without statistics, in a sale's first minute, a condition on the status led through everybody who was paying,
    and one on the event through all that it had sold.
    """
    plan = await planned(untouched, name)
    assert "reservations" in plan
    assert not re.search("reservations_of_(event|address)|Seq Scan", plan), plan
    for scan in re.findall(r"Scan.* on reservations\b.*\n.*", plan):
        assert "Index Cond" in scan, f"all of the table: {plan}"


async def test_refunds_that_are_due_are_found_by_their_time(untouched: databases.Database) -> None:
    """P5: those whose time has not come, of a whole event perhaps, are not walked through each second."""
    plan = await planned(untouched, "claim_refunds")
    assert re.search(r"refunds_to_do on refunds d\b.*\n.*Index Cond: \(next_attempt_at <=", plan), plan


async def planned(database: databases.Database, name: str) -> str:
    """How PostgreSQL carries a statement out, whatever its arguments are."""
    arguments = ", ".join(["NULL"] * max(map(int, re.findall(r"\$(\d+)", STATEMENTS[name]))))
    async with raw(database) as connection:
        await connection.execute(f"PREPARE step AS {STATEMENTS[name]}")
        try:
            told = await connection.fetch(f"EXPLAIN EXECUTE step ({arguments})")
        finally:
            await connection.execute("DEALLOCATE step")
    return "\n".join(row[0] for row in told)


async def test_plans_are_made_anew_for_tables_that_have_grown(stores: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    """E1: a plan for thirty rows would be kept while a rush writes thousands, and each purchase walk through them."""

    async def told() -> str:
        async with raw(database) as connection:
            return "\n".join(row[0] for row in await connection.fetch("EXPLAIN EXECUTE step (NULL)"))

    async with own_database(stores.database_url) as url:
        database = await open_database(url, 1)
        try:
            async with raw(database) as connection:
                await connection.execute("CREATE TABLE grown (id int PRIMARY KEY) WITH (autovacuum_enabled = off)")
                await connection.execute("INSERT INTO grown SELECT generate_series(1, 30); ANALYZE grown")
                step = "SELECT grown.id FROM unnest($1::int[]) AS asked (id) JOIN grown USING (id)"
                await connection.execute(f"PREPARE step (int[]) AS {step}")
            walks = await told()
            async with raw(database) as connection:
                await connection.execute("INSERT INTO grown SELECT generate_series(31, 100000)")
            assert await told() == walks, "PostgreSQL keeps it"
            monkeypatch.setattr("core.database._PLANNED_SECONDS", 0.0)
            finds = await told()
        finally:
            await close_database(database)
    assert "Index Cond" not in walks, walks
    assert "Index Cond" in finds, finds


async def test_a_connection_that_is_lost_before_anything_is_sent_leaves_nobodys_outcome_unknown(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R5: its plans were about to be made anew."""

    async def lost(*_: object) -> None:
        raise asyncpg.ConnectionDoesNotExistError("gone")

    monkeypatch.setattr("core.database._plan_again", lost)
    with pytest.raises(StoreUnavailable) as refused:
        async with raw(runtime.database, writes=True):
            raise AssertionError("nothing is to be sent")
    assert not isinstance(refused.value, OutcomeUnknown)
