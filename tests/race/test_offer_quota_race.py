"""F7: seats that the waiting list offers have their place in the phase's quota, whatever is bought at the same time.

With controls without the guards.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

import core.booking.reservations_postgres as store
from core.booking.reservation import ReservationStatus
from core.database import open_database, raw
from core.diagnosis import people_postgres as people
from core.errors import QuotaReached
from core.runtime import Runtime
from core.venue.event import SaleStatus
from core.venue.phase import Phase
from core.waiting_list import rounds_postgres
from tests.booking import check_books, rows
from tests.conftest import MakeEvent
from tests.waiting_list import ListOfSale, list_of
from tests.waits import until

QUOTA = 2
CROWD = 12
_GUARD = "phase_takes($2, $18, cardinality($8::int[]), $20::uuid)"
_GUARD_OF_OFFERS = "WHERE $6::text IS NULL OR phase_takes($2, $6, cardinality($4::int[]), NULL)"

_WAITING = "SELECT FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE '%INSERT INTO offers%'"
_COMMITTED = """
SELECT (SELECT count(*) FROM reservations r JOIN reservation_seats l ON l.reservation_id = r.id AND l.live
        WHERE r.event_id = $1 AND r.status IN ('PAYING', 'CONFIRMED'))
     + (SELECT coalesce(sum(cardinality(ordinals)), 0) FROM offers WHERE event_id = $1 AND state = 'OPEN') AS seats
"""


pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
async def sale(runtime: Runtime, make_event: MakeEvent) -> ListOfSale:
    """Its phase has sold all that it may; one of those seats was given back, and `v` waits for it."""
    phase = Phase("general", runtime.clock.now() - timedelta(hours=1), None, 0, quota=QUOTA)
    event = await make_event(seats=20, phases=(phase,), status=SaleStatus.SCHEDULED, active_limit=100)
    sale = list_of(runtime, event)
    first = await sale.sell(0)
    await sale.sell(1, visitor="b")
    await sale.join("v")
    await sale.give_back(first)
    return sale


async def committed(sale: ListOfSale) -> int:
    (row,) = await rows(sale.runtime, _COMMITTED, sale.event.id)
    return int(row["seats"])


async def test_what_is_offered_is_not_sold_to_others(sale: ListOfSale) -> None:
    await sale.round()
    assert await sale.offered("v") == (0,)
    with pytest.raises(QuotaReached):
        await sale.desk.order(sale.event, "c", 2)
    taken = await sale.paid(await sale.take("v"))
    assert (taken.status, taken.phase) == (ReservationStatus.CONFIRMED, "general")
    with pytest.raises(QuotaReached):
        await sale.desk.order(sale.event, "d", 3)
    for refused in ("c", "d"):  # who keeps the held seats, for another phase
        await sale.runtime.seats.release(sale.event, refused)
    await check_books(sale.runtime, sale.event, sale.desk.bank)


async def test_control_without_the_guard_the_offer_comes_to_nothing(
    sale: ListOfSale, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _GUARD in store._BEGIN
    unguarded = store._BEGIN.replace(_GUARD, "phase_has_room($2, $18, cardinality($8::int[]))")
    monkeypatch.setattr(sale.desk.checkout._reservations._begin, "_query", unguarded)
    await sale.round()
    await sale.desk.order(sale.event, "c", 2)
    with pytest.raises(QuotaReached):
        await sale.take("v")


@pytest.mark.parametrize("end", ["passed on", "over", "left"])
async def test_an_offer_that_ends_gives_its_place_back(sale: ListOfSale, end: str) -> None:
    await sale.round()
    wish = await sale.own("v")
    if end == "over":
        await sale.pass_time(3600)
    elif end == "left":
        await sale.waiting_list.leave(sale.event, "v")
    else:
        await sale.waiting_list.pass_on(wish)
    await sale.desk.order(sale.event, "c", 2)
    with pytest.raises(QuotaReached):
        await sale.desk.order(sale.event, "d", 3)
    await sale.round()
    assert await committed(sale) == QUOTA


async def test_offers_and_purchases_at_once(sale: ListOfSale) -> None:
    """One of them gets the last place; an offer that was made is worth a purchase."""
    for buyer in range(CROWD):
        await sale.desk.basket(sale.event, f"c{buyer}", 2 + buyer)

    async def buy(buyer: int) -> bool:
        try:
            await sale.desk.submit(sale.event, f"c{buyer}")
        except QuotaReached:
            return False
        return True

    _, *sold = await asyncio.gather(sale.round(), *map(buy, range(CROWD)))
    bought = sum(map(bool, sold))
    offered = len(await sale.offered("v"))
    assert (bought + offered, await committed(sale)) == (1, QUOTA)
    if offered:
        await sale.take("v")
    else:
        await sale.round()
        assert await sale.offered("v") == ()
    assert await committed(sale) == QUOTA


async def test_an_offer_of_before_counts_in_every_phase(sale: ListOfSale) -> None:
    """It has no phase: what it is taken in is not known."""
    await sale.round()
    await rows(sale.runtime, "UPDATE offers SET phase = NULL WHERE event_id = $1", sale.event.id)
    (phase,) = sale.event.phases
    async with raw(sale.runtime.database) as connection:
        assert await rounds_postgres._room(connection, sale.event, phase) == 0
    (found,) = [f async for f in people.phases(sale.runtime.database, sale.event, sale.runtime.clock.now(), None, None)]
    assert found.detail is not None
    assert "offers 1 to its waiting list" in found.detail
    with pytest.raises(QuotaReached):
        await sale.desk.order(sale.event, "c", 2)
    assert (await sale.paid(await sale.take("v"))).phase == "general"


@pytest.mark.parametrize("told", [True, False])
async def test_an_offer_of_a_phase_that_is_gone_counts_in_the_one_it_is_taken_in(sale: ListOfSale, told: bool) -> None:
    """Also one that was being made when the phase went: it still has that phase's name."""
    await sale.round()
    renamed = replace(sale.event.phases[0], name="other", quota=1)
    sale.event = await sale.runtime.events.update(sale.event.slug, phases=(renamed,))
    (offer,) = await rows(sale.runtime, "SELECT phase FROM offers WHERE event_id = $1", sale.event.id)
    assert offer["phase"] is None
    if not told:
        await rows(sale.runtime, "UPDATE offers SET phase = 'general' WHERE event_id = $1", sale.event.id)
    taken = await sale.take("v")
    assert taken.phase == "other"
    with pytest.raises(QuotaReached):
        await sale.desk.order(sale.event, "c", 2)


async def test_a_round_keeps_the_phase_from_its_buyers_for_a_few_offers_at_a_time(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts in a phase holds its lock until the commit: a transaction of all offers is a long wait for buyers."""
    monkeypatch.setattr(rounds_postgres, "_OFFERS_AT_ONCE", 1)
    phase = Phase("general", runtime.clock.now() - timedelta(hours=1), None, 0, quota=20)
    sale = list_of(runtime, await make_event(seats=20, phases=(phase,), status=SaleStatus.SCHEDULED, active_limit=100))
    bought = await sale.sell(0, 1, 2)
    for visitor in ("v", "w", "x"):
        await sale.join(visitor)
    await sale.give_back(bought)
    await sale.round()
    assert [await sale.offered(visitor) for visitor in ("v", "w", "x")] == [(0,), (1,), (2,)]
    made = await rows(runtime, "SELECT DISTINCT xmin::text FROM offers WHERE event_id = $1", sale.event.id)
    assert len(made) == 3, "each committed by itself"


@pytest.mark.parametrize("guarded", [True, False])
async def test_an_offer_waits_for_a_purchase_that_is_being_made(
    sale: ListOfSale, stores: Any, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """Without the guard, the control, the phase has more than it may."""
    assert _GUARD_OF_OFFERS in rounds_postgres._OFFER
    if not guarded:
        monkeypatch.setattr(
            rounds_postgres, "_OFFER", rounds_postgres._OFFER.replace(_GUARD_OF_OFFERS, "WHERE $6 = $6")
        )
    own = await open_database(stores.database_url, 2)
    try:
        async with raw(own) as connection, connection.transaction():
            assert await connection.fetchval("SELECT phase_takes($1, 'general', 1, NULL)", sale.event.id)
            id = uuid4()
            await connection.execute(
                "INSERT INTO reservations (id, event_id, visitor, idempotency_key, request_digest, email, status, "
                "amount, currency, fence, until, phase) VALUES ($1, $2, 'c', 'k', '', '', 'PAYING', 1, 'KRW', 1, "
                "now() + interval '1 hour', 'general')",
                id,
                sale.event.id,
            )
            await connection.execute(
                "INSERT INTO reservation_seats (reservation_id, event_id, ordinal, price) VALUES ($1, $2, 2, 1)",
                id,
                sale.event.id,
            )
            round_ = asyncio.ensure_future(sale.round())

            async def decided() -> bool:
                return round_.done() or bool(await rows(sale.runtime, _WAITING))

            await until(decided)
        await round_
    finally:
        await own.disconnect()
    assert await sale.offered("v") == (() if guarded else (0,))
    assert await committed(sale) == QUOTA + (not guarded)
