"""F3: seats of one buyer, over all baskets and purchases, of a visitor and of an e-mail address. PostgreSQL judges."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import asyncpg
import pytest

from core.booking import reservations_postgres
from core.booking.attempt import AttemptState, Owed
from core.booking.reservation import Reservation
from core.booking.reservations_postgres import Reservations
from core.booking.stored import NewReservation
from core.embedded import Engines
from core.errors import TooManySeats
from core.runtime import Runtime
from core.venue.event import Event
from tests.booking import Bank, Desk, close_desks, desk, retire, rows, until
from tests.conftest import MakeEvent
from tests.orders import new_reservation

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
async def till(runtime: Runtime) -> AsyncIterator[Desk]:
    await retire(runtime)
    yield desk(runtime, Bank())
    await close_desks()


def order(event: Event, visitor: str, seats: Sequence[int], fence: int, email: str) -> NewReservation:
    return new_reservation(event, visitor, seats=seats, fence=fence, key=str(uuid4()), email=email)


async def at_once(runtime: Runtime, event: Event) -> list[Reservation]:
    """Twenty baskets of two seats of one visitor, in twenty connections: what no hold script would let through."""
    begun = await asyncio.gather(
        *(
            # One of its own each: of one process those that meet would run one after the other.
            Reservations(runtime.database, lease_seconds=60, deadline_seconds=600).begin(
                order(event, "v", [2 * n, 2 * n + 1], n + 1, f"{n}@example.org"), f"t{n}"
            )
            for n in range(20)
        )
    )
    return [one for one in begun if one is not None]


async def test_twenty_baskets_of_one_visitor_at_once_are_never_more(runtime: Runtime, make_event: MakeEvent) -> None:
    """F3, rule 11."""
    for _ in range(5):
        made = await at_once(runtime, await make_event(seats=40, max_seats=4))
        assert sum(len(one.seats) for one in made) == 4


async def test_without_its_turn_each_of_them_counts_nothing(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F3, the negative control: a count that waits for nobody and sees what was there at the statement's beginning."""
    blind = reservations_postgres._BEGIN.replace(
        "seats_of_visitor($2, $3)",
        "(SELECT count(*) FROM reservations r JOIN reservation_seats l ON l.reservation_id = r.id AND l.live "
        "WHERE r.visitor = $3 AND r.event_id = $2 AND r.status IN ('PAYING', 'CONFIRMED'))",
    )
    assert blind != reservations_postgres._BEGIN
    monkeypatch.setattr(reservations_postgres, "_BEGIN", blind)
    most = 0
    for _ in range(20):
        made = await at_once(runtime, await make_event(seats=40, max_seats=4))
        most = max(most, sum(len(one.seats) for one in made))
        if most > 4:
            break
    assert most > 4, "the race is not real"


async def test_a_visitor_who_has_bought_them_all_is_told_before_the_money(
    till: Desk, runtime: Runtime, make_event: MakeEvent
) -> None:
    """F3: refused with the figure; the seats stay held, and with fewer of them the purchase goes on."""
    event = await make_event(seats=12, max_seats=4)
    bought = await till.ended(await till.buy(event, "v", 0, 1, 2))
    assert bought.status == "CONFIRMED"
    # Another server process's Redis knows of no purchase: PostgreSQL does.
    await till.basket(event, "v", 5)
    second = await till.submit(event, "v", "second")
    await till.ended(await till.pay(second))
    with pytest.raises(TooManySeats):
        await till.order(event, "v", 6, key="third")


async def test_seats_that_were_given_back_count_no_more(till: Desk, make_event: MakeEvent) -> None:
    """F3: a payment that failed, and one that was given back."""
    event = await make_event(seats=12, max_seats=2)
    till.bank.says = "decline"
    assert (await till.ended(await till.buy(event, "v", 0, 1))).status == "FAILED"
    given_back = await till.order(event, "v", 2, 3, key="b")
    assert given_back.payment is not None
    await till.checkout.give_back(given_back.payment.order)
    till.bank.says = "approve"
    await until(lambda: _free(till, event))
    assert (await till.ended(await till.buy(event, "v", 4, 5, key="c"))).status == "CONFIRMED"


async def _free(till: Desk, event: Event) -> bool:
    return await till.runtime.seats.basket(event, "v") is None


async def test_an_address_counts_over_all_visitors(till: Desk, make_event: MakeEvent) -> None:
    """F3: tags and dots of the big providers make no other buyer; nor does an address at another provider."""
    event = await make_event(seats=12, max_seats=2)
    await till.basket(event, "a", 0, 1)
    await till.ended(await till.pay(await till.submit(event, "a", email="kim@gmail.com")))
    await till.basket(event, "b", 2)
    with pytest.raises(TooManySeats) as refused:
        await till.submit(event, "b", "one", email="K.im+second@googlemail.com")
    assert refused.value.data == {"max": 2}, "nothing about whose purchases they were"
    held = await till.runtime.seats.basket(event, "b")
    assert held is not None, "the seats stay held"
    assert held.seats == (2,)
    assert not held.paying
    assert (await till.submit(event, "b", "two", email="kim@example.org")).status == "PAYING"


async def test_a_strangers_open_windows_lock_nobody_out(till: Desk, make_event: MakeEvent) -> None:
    """F3: five strangers open windows with somebody's address; the owner buys."""
    event = await make_event(seats=20, max_seats=2)
    for n in range(5):
        await till.basket(event, f"stranger{n}", 2 * n, 2 * n + 1)
        assert (await till.submit(event, f"stranger{n}", email="kim@example.org")).status == "PAYING"
    await till.basket(event, "kim", 15, 16)
    own = await till.submit(event, "kim", email="kim@example.org")
    assert (await till.ended(await till.pay(own))).status == "CONFIRMED"


async def test_of_orders_of_one_address_the_first_that_is_called_wins(
    till: Desk, runtime: Runtime, make_event: MakeEvent
) -> None:
    """F3: ten open windows with one address are all approved at once. One buyer's share is charged; what the others had
    authorised is let go of, and they are told why."""
    event = await make_event(seats=20, max_seats=2)
    orders = []
    for n in range(10):
        await till.basket(event, f"v{n}", 2 * n, 2 * n + 1)
        orders.append(await till.submit(event, f"v{n}", email="kim@example.org"))
    await asyncio.gather(*(till.pay(one) for one in orders))
    ended = [await till.ended(one) for one in orders]
    assert Counter(one.status for one in ended) == {"CONFIRMED": 1, "FAILED": 9}
    assert {one.reason for one in ended if one.status == "FAILED"} == {"share_reached"}
    assert sum(entry.charged for entry in till.bank.ledger.values()) == 1
    owed = await rows(
        runtime,
        "SELECT f.kind FROM refunds f JOIN reservations r ON r.id = f.reservation_id WHERE r.event_id = $1",
        event.id,
    )
    assert [row["kind"] for row in owed] == [Owed.VOID] * 9


async def test_who_is_being_charged_already_goes_on_when_the_limit_is_lowered(
    till: Desk, runtime: Runtime, make_event: MakeEvent
) -> None:
    """F3: an operator lowers the limit while somebody pays; a new order is judged by it."""
    event = await make_event(seats=12, max_seats=4)
    paying = await till.order(event, "v", 0, 1, 2)
    await runtime.events.update(event.slug, max_seats=1)
    assert (await till.until(paying, AttemptState.OPEN)).status == "PAYING"
    assert (await till.ended(await till.pay(paying))).status == "CONFIRMED"


_CROWD = """
INSERT INTO reservations (id, event_id, visitor, idempotency_key, request_digest, email, address_key, language, status,
                          amount, currency, fence, until)
SELECT gen_random_uuid(), $1, 'crowd' || n, 'k', 'd', n || '@example.org', n || '@example.org', 'en', 'CONFIRMED',
       1, 'KRW', n, now()
FROM generate_series(1, 3000) AS n
"""
_READ = """
SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::int FROM pg_stat_xact_user_tables WHERE relname = 'reservations'
"""


@pytest.mark.parametrize("by_event", [False, True], ids=["as it is", "as it was"])
async def test_counting_a_buyers_seats_walks_past_nobody_else(
    by_event: bool, stores: Engines, make_event: MakeEvent
) -> None:
    """E1: in the first minute of a sale there are no statistics, and everybody's purchase counts."""
    event = await make_event()
    connection = await asyncpg.connect(stores.database_url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(_CROWD, event.id)
        await connection.execute("DELETE FROM pg_statistic WHERE starelid = 'reservations'::regclass")
        for name in ("seats_of_visitor", "seats_of_address"):
            defined = await connection.fetchval("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = $1", name)
            assert "r.event_id + 0 =" in defined
            if by_event:
                await connection.execute(defined.replace("r.event_id + 0 =", "r.event_id ="))
        if by_event:
            await connection.execute("DROP INDEX reservations_of_address")
        before = await connection.fetchval(_READ)
        await connection.fetchval("SELECT seats_of_visitor($1, 'crowd7')", event.id)
        await connection.fetchval("SELECT seats_of_address($1, '7@example.org', '{CALLED}', NULL)", event.id)
        walked = await connection.fetchval(_READ) - before
        assert (walked > 2_000) if by_event else (walked <= 4)
    finally:
        await transaction.rollback()
        await connection.close()
