"""Rule 1 in PostgreSQL under a crowd: overlapping seats, all or nothing, no deadlock; and a control with no guard."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

import core.booking.reservations_postgres as store
from core.booking.payment import Claim, PaymentStatus
from core.booking.reservation import Change, Reason
from core.booking.reservations_postgres import NewReservation, PaymentChange, Reservations
from core.database import open_database, raw
from core.runtime import Runtime
from core.venue.event import Event
from tests.booking import rows
from tests.conftest import MakeEvent
from tests.live_server import PATIENCE

CROWD = 50


@pytest.fixture
async def many(runtime: Runtime, stores: Any) -> Any:
    """A database pool in which the whole crowd is at work at once."""
    database = await open_database(stores.database_url, CROWD)
    yield database
    await database.disconnect()


def _new(event: Event, visitor: str, seats: Sequence[int], fence: int = 10, key: str = "k") -> NewReservation:
    return NewReservation(
        id=uuid4(),
        event_id=event.id,
        visitor=visitor,
        idempotency_key=key,
        request_digest="d",
        email="a@example.org",
        language="en",
        payment_key="p",
        seats=seats,
        fence=fence,
    )


async def _live(runtime: Runtime, event: Event) -> list[int]:
    return [
        row["ordinal"]
        for row in await rows(runtime, "SELECT ordinal FROM reservation_seats WHERE event_id = $1 AND live", event.id)
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_overlapping_seats_are_given_once(seed: int, many: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(seats=20)
    reservations = Reservations(many, lease_seconds=30, deadline_seconds=600)
    draw = random.Random(seed)
    # Shuffled on purpose: the statement, not the caller, has to bring the seats into order.
    wanted = [draw.sample(range(20), draw.randint(1, 6)) for _ in range(CROWD)]
    before = await _deadlocks(runtime)
    claims = await asyncio.gather(
        *(reservations.begin(_new(event, f"v{i}", seats), "t") for i, seats in enumerate(wanted))
    )
    winners = [sorted(seats) for seats, claim in zip(wanted, claims, strict=True) if claim is not None]
    assert [sorted(claim.reservation.seats) for claim in claims if claim is not None] == winners
    given = sorted(seat for seats in winners for seat in seats)
    assert len(given) == len(set(given))
    # All or nothing: what is PAYING is exactly what the winners asked for, everywhere.
    assert sorted(await _live(runtime, event)) == given
    paying = await rows(runtime, "SELECT ordinal FROM seats WHERE event_id = $1 AND status = 'PAYING'", event.id)
    assert sorted(row["ordinal"] for row in paying) == given
    for table in (
        "payments p JOIN reservations r ON r.id = p.reservation_id",
        "reservations r",
        "outbox o JOIN reservations r ON r.id = o.reservation_id",
    ):
        (count,) = await rows(runtime, f"SELECT count(*) FROM {table} WHERE r.event_id = $1", event.id)
        assert count[0] == len(winners), table
    # Nobody was refused for nothing: each loser's seats meet a winner's.
    for seats, claim in zip(wanted, claims, strict=True):
        assert claim is not None or set(seats) & set(given)
    assert await _deadlocks(runtime) == before


async def test_begin_against_ends(many: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    """Seats that come free while others want them: reservations are whole or over, and nothing waits in a circle."""
    event = await make_event(seats=6)
    reservations = Reservations(many, lease_seconds=30, deadline_seconds=600)
    draw = random.Random(1)
    fences = iter(range(1, 100_000))
    before = await _deadlocks(runtime)

    async def buyer(name: str) -> int:
        bought = 0
        for attempt in range(5_000):
            if bought == 3:
                break
            # The fence is drawn when the seats are held; who comes later with an older one is refused.
            new = _new(event, name, draw.sample(range(6), 3), fence=next(fences) * 10, key=str(attempt))
            claim = await reservations.begin(new, "t")
            if claim is not None:
                bought += 1
                assert await _fail(reservations, claim) is not None
        return bought

    bought = await asyncio.gather(*(buyer(f"v{i}") for i in range(12)))
    assert bought == [3] * 12
    assert await _live(runtime, event) == []
    seats = await rows(runtime, "SELECT status, version FROM seats WHERE event_id = $1", event.id)
    assert {row["status"] for row in seats} == {"AVAILABLE"}
    assert sum(row["version"] for row in seats) == sum(bought) * 3 * 2
    assert await _deadlocks(runtime) == before


async def _fail(reservations: Reservations, claim: Claim) -> Claim | None:
    payment = PaymentChange((PaymentStatus.NEW,), PaymentStatus.DECLINED)
    return await reservations.change(
        claim.reservation.id, Change.FAIL, payment, expected_token="t", token="t", reason=Reason.DECLINED
    )


async def test_one_end_for_each(many: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    """Confirm, fail and give up at once: one of them happens, wholly, and is told once."""
    event = await make_event(seats=20)
    reservations = Reservations(many, lease_seconds=30, deadline_seconds=600)
    for seat in range(20):
        claim = await reservations.begin(_new(event, "v", [seat], key=str(seat)), "t")
        assert claim is not None
        id = claim.reservation.id
        ways = [
            reservations.change(
                id,
                Change.CONFIRM,
                PaymentChange((PaymentStatus.NEW,), PaymentStatus.APPROVED),
                expected_token="t",
                token="t",
                ticket_code="c",
            ),
            *(
                reservations.change(
                    id,
                    change,
                    PaymentChange((PaymentStatus.NEW,), PaymentStatus.DECLINED),
                    expected_token="t",
                    token="t",
                    reason=Reason.DECLINED,
                )
                for change in (Change.FAIL, Change.GIVE_UP)
            ),
        ]
        random.Random(seat).shuffle(ways)
        ended = [end for end in await asyncio.gather(*ways) if end is not None]
        assert len(ended) == 1
        (row,) = await rows(
            runtime,
            "SELECT r.status, s.status AS seat, p.status AS payment, (SELECT array_agg(type ORDER BY id) FROM outbox "
            "WHERE reservation_id = r.id) AS told FROM reservations r JOIN payments p ON p.reservation_id = r.id "
            "JOIN seats s ON s.event_id = r.event_id AND s.ordinal = $2 WHERE r.id = $1",
            id,
            seat,
        )
        status = ended[0].reservation.status
        assert row["status"] == status
        assert row["seat"] == ("SOLD" if status == "CONFIRMED" else "AVAILABLE")
        assert row["payment"] == ("APPROVED" if status == "CONFIRMED" else "DECLINED")
        assert row["told"] == ["reservation.paying", f"reservation.{status.lower()}"]


async def test_a_claim_that_was_taken_over_writes_nothing(many: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    """The lease's end decides, not the process's opinion of it."""
    event = await make_event(seats=20)
    reservations = Reservations(many, lease_seconds=0.01, deadline_seconds=600)
    claim = await reservations.begin(_new(event, "v", [0]), "old")
    assert claim is not None
    id = claim.reservation.id
    await asyncio.sleep(0.02)
    taken: list[Claim] = []
    while not any(one.reservation.id == id for one in taken):
        taken += await reservations.claim_due(100, "new")
    payment = PaymentChange((PaymentStatus.NEW,), PaymentStatus.DECLINED)
    with pytest.raises(store.ClaimLost):
        await reservations.called(id, "old", "bank")
    with pytest.raises(store.ClaimLost):
        await reservations.renew(id, "old")
    with pytest.raises(store.ClaimLost):
        await reservations.wait(id, "old", PaymentStatus.CALLED, Reason.CHECKING, 1.0, None)
    assert (
        await reservations.change(id, Change.FAIL, payment, expected_token="old", token="old", reason=Reason.DECLINED)
        is None
    )
    await reservations.called(id, "new", "bank")


async def test_control_check_then_set_sells_twice(many: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    """Without guard and unique index the same crowd buys one seat many times: the race above is real."""
    event = await make_event(seats=20)
    all_have_looked = asyncio.Barrier(CROWD)

    async def unguarded(visitor: str) -> None:
        async with raw(many) as connection:
            free = await connection.fetchval(
                "SELECT status = 'AVAILABLE' FROM seats WHERE event_id = $1 AND ordinal = 0", event.id
            )
        assert free
        async with asyncio.timeout(PATIENCE):
            await all_have_looked.wait()
        async with raw(many) as connection, connection.transaction():
            await connection.execute("UPDATE seats SET status = 'PAYING' WHERE event_id = $1 AND ordinal = 0", event.id)
            await connection.execute(
                "INSERT INTO reservations (id, event_id, visitor, idempotency_key, request_digest, email, payment_key, "
                "status, amount, currency, fence) VALUES ($1, $2, $3, 'k', '', '', '', 'PAYING', 1, 'KRW', 1)",
                uuid4(),
                event.id,
                visitor,
            )

    await asyncio.gather(*(unguarded(f"v{i}") for i in range(CROWD)))
    (sold,) = await rows(runtime, "SELECT count(*) FROM reservations WHERE event_id = $1", event.id)
    assert sold[0] == CROWD


async def test_the_unique_index_is_the_last_judge(many: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    """Were the statement's guard lost, the index would still refuse, and nothing of the statement would remain."""
    event = await make_event(seats=20)
    reservations = Reservations(many, lease_seconds=30, deadline_seconds=600)
    assert await reservations.begin(_new(event, "a", [3]), "t") is not None
    async with raw(runtime.database) as connection:
        await connection.execute(
            "UPDATE seats SET status = 'AVAILABLE', fence = 0 WHERE event_id = $1 AND ordinal = 3", event.id
        )
    assert await reservations.begin(_new(event, "b", [3, 4]), "t") is None
    assert await _live(runtime, event) == [3]
    (seat,) = await rows(runtime, "SELECT status FROM seats WHERE event_id = $1 AND ordinal = 4", event.id)
    assert seat["status"] == "AVAILABLE"


async def test_seats_are_locked_in_order(many: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    """The order comes from the statement: without its ORDER BY the same two statements can wait for each other."""
    begin = (Path(store.__file__).parent / "sql" / "begin.sql").read_text()
    assert "ORDER BY ordinal\n    FOR UPDATE" in begin
    event = await make_event(seats=20)
    both_have_one = asyncio.Barrier(2)
    with pytest.raises(asyncpg.DeadlockDetectedError):
        await asyncio.gather(*(_lock(many, event, order, both_have_one) for order in ((1, 2), (2, 1))))


async def _lock(database: Any, event: Event, order: tuple[int, int], both_have_one: asyncio.Barrier) -> None:
    one = "SELECT FROM seats WHERE event_id = $1 AND ordinal = $2 FOR UPDATE"
    async with raw(database) as connection, connection.transaction():
        await connection.execute(one, event.id, order[0])
        async with asyncio.timeout(PATIENCE):
            await both_have_one.wait()
        await connection.execute(one, event.id, order[1])


async def _deadlocks(runtime: Runtime) -> int:
    """Deadlocks that PostgreSQL has met in this database."""
    async with raw(runtime.database) as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
    (row,) = await rows(runtime, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(row["deadlocks"])
