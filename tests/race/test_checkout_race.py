"""Rule 1 in PostgreSQL under a crowd: overlapping seats, all or nothing, no deadlock; and a control with no guard."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

import core.booking.reservations_postgres as store
from core.booking.attempt import AttemptState, Owed, order_number
from core.booking.reservation import Change, Reason, Reservation
from core.booking.reservations_postgres import Reservations
from core.booking.stored import AttemptChange, Claim, ClaimLost, NewReservation
from core.database import open_database, raw
from core.payments.account import Account
from core.payments.gateway import Authorisation
from core.runtime import Runtime
from core.venue.event import Event
from tests.booking import rows
from tests.conftest import MakeEvent
from tests.live_server import PATIENCE
from tests.orders import new_reservation

CROWD = 50


@pytest.fixture
async def many(runtime: Runtime, stores: Any) -> Any:
    """A database pool in which the whole crowd is at work at once."""
    database = await open_database(stores.database_url, CROWD)
    yield database
    await database.disconnect()


class _Apart:
    """Each call as of a process of its own: none leaves together with another one's."""

    def __init__(self, database: Any) -> None:
        self._database = database

    def __getattr__(self, name: str) -> Any:
        return getattr(Reservations(self._database, lease_seconds=30, deadline_seconds=600), name)


@pytest.fixture(params=["apart", "together"])
def reservations(many: Any, request: pytest.FixtureRequest) -> Any:
    """Of many processes, where every call has a transaction of its own; of one, where those that meet share theirs."""
    if request.param == "apart":
        return _Apart(many)
    return Reservations(many, lease_seconds=30, deadline_seconds=600)


def _new(event: Event, visitor: str, seats: Sequence[int], fence: int = 10, key: str = "k") -> NewReservation:
    return new_reservation(event, visitor, seats=seats, fence=fence, key=key)


async def _live(runtime: Runtime, event: Event) -> list[int]:
    return [
        row["ordinal"]
        for row in await rows(runtime, "SELECT ordinal FROM reservation_seats WHERE event_id = $1 AND live", event.id)
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_overlapping_seats_are_given_once(
    seed: int, reservations: Any, runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event(seats=20, max_seats=100)
    draw = random.Random(seed)
    # Shuffled on purpose: the statement, not the caller, has to bring the seats into order.
    wanted = [draw.sample(range(20), draw.randint(1, 6)) for _ in range(CROWD)]
    before = await _deadlocks(runtime)
    claims = await asyncio.gather(
        *(reservations.begin(_new(event, f"v{i}", seats), "t") for i, seats in enumerate(wanted))
    )
    winners = [sorted(seats) for seats, claim in zip(wanted, claims, strict=True) if claim is not None]
    assert [sorted(claim.seats) for claim in claims if claim is not None] == winners
    given = sorted(seat for seats in winners for seat in seats)
    assert len(given) == len(set(given))
    # All or nothing: what is PAYING is exactly what the winners asked for, everywhere.
    assert sorted(await _live(runtime, event)) == given
    paying = await rows(runtime, "SELECT ordinal FROM seats WHERE event_id = $1 AND status = 'PAYING'", event.id)
    assert sorted(row["ordinal"] for row in paying) == given
    for table in (
        "payment_attempts a JOIN reservations r ON r.id = a.reservation_id",
        "reservations r",
        "outbox o JOIN reservations r ON r.id = o.reservation_id",
    ):
        (count,) = await rows(runtime, f"SELECT count(*) FROM {table} WHERE r.event_id = $1", event.id)
        assert count[0] == len(winners), table
    # Nobody was refused for nothing: each loser's seats meet a winner's.
    for seats, claim in zip(wanted, claims, strict=True):
        assert claim is not None or set(seats) & set(given)
    assert await _deadlocks(runtime) == before


async def test_begin_against_ends(reservations: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    """Seats that come free while others want them: reservations are whole or over, and nothing waits in a circle."""
    event = await make_event(seats=6)
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


async def _fail(reservations: Reservations, begun: Reservation) -> Claim | None:
    attempt = AttemptChange((AttemptState.OPEN,), AttemptState.EXPIRED)
    return await reservations.change(
        order_number(begun.id, 1), Change.FAIL, attempt, expected_token=None, token="t", reason=Reason.WINDOW_ENDED
    )


async def test_one_end_for_each(reservations: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    """Confirm, fail and give up at once: one of them happens, wholly, and is told once."""
    event = await make_event(seats=20, max_seats=100)
    for seat in range(20):
        # A visitor for each: five failed payments in a row would pause one's next, and who wins is not ours to say.
        claim = await reservations.begin(_new(event, f"v{seat}", [seat]), "t")
        assert claim is not None
        id = claim.id
        order, any_state = order_number(id, 1), (AttemptState.OPEN, AttemptState.AUTHORISED)
        ways = [
            reservations.change(
                order,
                Change.CONFIRM,
                AttemptChange(any_state, AttemptState.APPROVED),
                expected_token=None,
                token="t",
                ticket_code="c",
            ),
            *(
                reservations.change(
                    order,
                    change,
                    AttemptChange(any_state, AttemptState.CLOSED, owed=Owed.VOID),
                    expected_token=None,
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
            "SELECT r.status, s.status AS seat, a.state AS payment, (SELECT array_agg(type ORDER BY id) FROM outbox "
            "WHERE reservation_id = r.id) AS told FROM reservations r "
            "JOIN payment_attempts a ON a.reservation_id = r.id "
            "JOIN seats s ON s.event_id = r.event_id AND s.ordinal = $2 WHERE r.id = $1",
            id,
            seat,
        )
        status = ended[0].reservation.status
        assert row["status"] == status
        assert row["seat"] == ("SOLD" if status == "CONFIRMED" else "AVAILABLE")
        assert row["payment"] == ("APPROVED" if status == "CONFIRMED" else "CLOSED")
        assert row["told"] == ["reservation.paying", f"reservation.{status.lower()}"]


async def test_a_claim_that_was_taken_over_writes_nothing(many: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    """The lease's end decides, not the process's opinion of it."""
    event = await make_event(seats=20, max_seats=100)
    reservations = Reservations(many, lease_seconds=0.01, deadline_seconds=600)
    begun = await reservations.begin(_new(event, "v", [0]), "")
    assert begun is not None
    order = order_number(begun.id, 1)
    assert await reservations.bind(order, Authorisation("key"), "old") is not None
    await asyncio.sleep(0.02)
    taken: list[Claim] = []
    while not any(one.attempt.order == order for one in taken):
        taken += await reservations.claim_due(100, "new")
    states = (AttemptState.AUTHORISED, AttemptState.CALLED)
    with pytest.raises(ClaimLost):
        await reservations.called(order, "old", "ik")
    with pytest.raises(ClaimLost):
        await reservations.renew(order, "old")
    with pytest.raises(ClaimLost):
        await reservations.wait(order, "old", AttemptState.CALLED, Reason.CHECKING, 1.0, None)
    with pytest.raises(ClaimLost):
        await reservations.reopen(order, "old", None, shops_fault=False)
    failed = AttemptChange(states, AttemptState.DECLINED)
    assert (
        await reservations.change(order, Change.FAIL, failed, expected_token="old", token="old", reason=Reason.DECLINED)
        is None
    )
    ended = await reservations.end_attempt(
        order,
        states,
        AttemptState.DECLINED,
        expected_token="old",
        reason=Reason.DECLINED,
        code=None,
        retry_until=datetime.now(UTC) + timedelta(minutes=1),
    )
    assert not ended
    await reservations.called(order, "new", "ik")


async def test_bind_close_expire_and_give_back_at_once(
    reservations: Any, runtime: Runtime, make_event: MakeEvent
) -> None:
    """P1: binding, closing, expiry and cancel are one guarded statement each: two of them cannot both win."""
    event = await make_event(seats=20, max_seats=100)
    winners = set()
    for seat in range(20):
        # A visitor for each: five windows in a row that ended unpaid would pause one's next order.
        begun = await reservations.begin(_new(event, f"v{seat}", [seat]), "")
        assert begun is not None
        order = order_number(begun.id, 1)
        later = datetime.now(UTC) + timedelta(minutes=5)
        ways = {
            "bind 1": reservations.bind(order, Authorisation("one"), "a"),
            "bind 2": reservations.bind(order, Authorisation("two"), "b"),
            "close": reservations.end_attempt(
                order,
                (AttemptState.OPEN,),
                AttemptState.CLOSED,
                expected_token=None,
                reason=Reason.CLOSED,
                code=None,
                retry_until=later,
                owed=Owed.VOID,
            ),
            "expire": reservations.change(
                order,
                Change.FAIL,
                AttemptChange((AttemptState.OPEN,), AttemptState.EXPIRED, owed=Owed.VOID),
                expected_token=None,
                token="c",
                reason=Reason.WINDOW_ENDED,
            ),
            "give back": reservations.change(
                order,
                Change.GIVE_UP,
                AttemptChange((AttemptState.OPEN,), AttemptState.CLOSED, owed=Owed.VOID),
                expected_token=None,
                token="d",
                reason=Reason.CANCELLED_BY_BUYER,
            ),
        }
        names = list(ways)
        random.Random(seat).shuffle(names)
        outcomes = await asyncio.gather(*(ways[name] for name in names))
        (winner,) = [name for name, outcome in zip(names, outcomes, strict=True) if outcome]
        winners.add(winner)
        (row,) = await rows(
            runtime, "SELECT state, provider_key FROM payment_attempts WHERE reservation_id = $1", begun.id
        )
        wanted = {"expire": "EXPIRED", "close": "CLOSED", "give back": "CLOSED"}.get(winner, "AUTHORISED")
        assert row["state"] == wanted
        assert (row["provider_key"] is not None) == (wanted == "AUTHORISED")
    assert len(winners) > 1, "the race is not one"


async def test_one_next_attempt(reservations: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    """Rule 2: twenty pages ask for another try at once, one order is made."""
    event = await make_event(seats=20, max_seats=100)
    begun = await reservations.begin(_new(event, "v", [0]), "")
    assert begun is not None
    assert begun.payment is not None
    closed = await reservations.end_attempt(
        begun.payment.order,
        (AttemptState.OPEN,),
        AttemptState.CLOSED,
        expected_token=None,
        reason=Reason.CLOSED,
        code=None,
        retry_until=datetime.now(UTC) + timedelta(minutes=5),
    )
    assert closed
    last = begun.payment
    made = await asyncio.gather(*(reservations.next_attempt(last, Account("toss", "test:x")) for _ in range(20)))
    assert sum(made) == 1
    stored = await reservations.get(begun.id)
    assert stored is not None
    assert stored.reservation.payment is not None
    assert (stored.reservation.payment.number, stored.reservation.attempts_left) == (2, 1)


async def test_the_index_allows_one_live_attempt(many: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    """Were the statement's guard lost, a second order for the same seats could still not be made."""
    event = await make_event(seats=20, max_seats=100)
    begun = await Reservations(many, lease_seconds=30, deadline_seconds=600).begin(_new(event, "v", [0]), "")
    assert begun is not None
    with pytest.raises(asyncpg.UniqueViolationError):
        await rows(
            runtime,
            "INSERT INTO payment_attempts (order_no, reservation_id, number, provider, environment, amount, currency, "
            "state, next_attempt_at) VALUES ($1, $2, 2, 'toss', 'x', 1, 'KRW', 'OPEN', now())",
            order_number(begun.id, 2),
            begun.id,
        )


async def test_control_check_then_set_sells_twice(many: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    """Without guard and unique index the same crowd buys one seat many times: the race above is real."""
    event = await make_event(seats=20, max_seats=100)
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
                "INSERT INTO reservations (id, event_id, visitor, idempotency_key, request_digest, email, status, "
                "amount, currency, fence, until) VALUES ($1, $2, $3, 'k', '', '', 'PAYING', 1, 'KRW', 1, now())",
                uuid4(),
                event.id,
                visitor,
            )

    await asyncio.gather(*(unguarded(f"v{i}") for i in range(CROWD)))
    (sold,) = await rows(runtime, "SELECT count(*) FROM reservations WHERE event_id = $1", event.id)
    assert sold[0] == CROWD


async def test_the_unique_index_is_the_last_judge(many: Any, runtime: Runtime, make_event: MakeEvent) -> None:
    """Were the statement's guard lost, the index would still refuse, and nothing of the statement would remain."""
    event = await make_event(seats=20, max_seats=100)
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
    event = await make_event(seats=20, max_seats=100)
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
