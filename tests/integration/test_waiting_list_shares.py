"""Nobody gets more of the waiting list than one buyer's share, and nobody hides others (F3, F10)."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import (
    AlreadyOnList,
    InvalidRequest,
    TooManyPlaces,
    TooManySeats,
)
from core.runtime import Runtime
from core.seats.best_seats import Hall
from core.venue.event import Event
from core.waiting_list import rounds_postgres
from core.waiting_list.wish import Wish
from tests.booking import rows
from tests.conftest import MakeEvent
from tests.waiting_list import ListOfSale, list_of

pytestmark = pytest.mark.usefixtures("patient", "alone")


async def test_one_buyers_share_counts(sale: ListOfSale) -> None:
    """F3: told when joining; who bought meanwhile is passed over; a taker with too many seats is refused, and can pass
    the offer to somebody else.
    """
    with pytest.raises(TooManySeats):
        await sale.join("greedy", 5)
    await sale.sell(0, 1, visitor="v")
    with pytest.raises(TooManySeats):
        await sale.join("v", 3)
    full = await sale.join("full", 2)
    assert full.state == "WAITING"
    other = await sale.sell(2, 3, visitor="other")
    await rows(sale.runtime, "UPDATE events SET max_seats = 2 WHERE id = $1", sale.event.id)
    sale.event = await sale.runtime.events.fresh(sale.event.slug)
    await sale.sell(4, 5, visitor="full")
    await sale.give_back(other)
    await sale.join("small", 2)
    await sale.round()
    assert await sale.offered("full") == ()
    assert await sale.offered("small") == (2, 3)
    with pytest.raises(TooManySeats):
        await sale.take("small", by="full")
    assert (await sale.take("small")).status == "PAYING"


async def test_one_place_a_visitor_one_offer_an_address(sale: ListOfSale) -> None:
    """Asked again it is the same place; an address in many browsers has one offer at a time, and is told nothing."""
    first = await sale.join("v", 1)
    assert (await sale.join("v", 1)).id == first.id
    with pytest.raises(AlreadyOnList):
        await sale.join("v", 2)
    with pytest.raises(InvalidRequest):
        await sale.join("w", 1, category="Nowhere")
    again = await sale.join("w", 1, email="V@example.org")
    assert again.state == "WAITING"
    assert again.ahead == 1
    await sale.join("x", 1)
    bought = await sale.sell(0, 1, 2)
    await sale.give_back(bought)
    await sale.round()
    assert [len(await sale.offered(one)) for one in ("v", "w", "x")] == [1, 0, 1]


async def test_a_return_is_offered_to_one_address_once(sale: ListOfSale) -> None:
    """Who leaves and joins anew, also in another browser, gets no second e-mail, nor keeps the seat from others."""
    bought = await sale.sell(3)
    await sale.join("v", email="victim@example.org")
    await sale.give_back(bought)
    await sale.round()
    assert await sale.offered("v") == (3,)
    await sale.waiting_list.leave(sale.event, "v")
    for again in ("v", "w"):
        await sale.join(again, email="Victim@example.org")
    await sale.join("other")
    await sale.round()
    assert [await sale.offered(one) for one in ("v", "w", "other")] == [(), (), (3,)]


async def test_five_offers_a_day_to_one_address(sale: ListOfSale) -> None:
    for seat in range(6):
        bought = await sale.sell(seat, visitor=f"owner-{seat}")
        await sale.join("v", email="victim@example.org")
        await sale.give_back(bought)
        await sale.round()
        assert await sale.offered("v") == ((seat,) if seat < 5 else ())
        await sale.waiting_list.leave(sale.event, "v")


async def test_a_round_that_fails_keeps_no_other_sale_from_its_own(runtime: Runtime, make_event: MakeEvent) -> None:
    broken, well = [list_of(runtime, await make_event(seats=6)) for _ in range(2)]
    for sale in (broken, well):
        bought = await sale.sell(3)
        await sale.join("v")
        await sale.give_back(bought)
    real = well.rounds._hall

    async def hall(event: Event) -> Hall:
        if event.id == broken.event.id:
            raise ValueError("a plan of its own kind")
        return await real(event)

    well.rounds._hall = hall
    with pytest.raises(ValueError, match="of its own kind"):
        await well.rounds.run()
    assert await well.offered("v") == (3,)
    assert await broken.offered("v") == ()


async def test_what_cannot_be_met_hides_nobody_behind_it(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More wishes for two than one round looks at, and one seat: the first single one gets it."""
    monkeypatch.setattr(rounds_postgres, "_MOST_WISHES", 3)
    sale = list_of(runtime, await make_event(seats=6))
    category = next(iter(sale.event.prices))
    for number in range(4):
        await sale.join(f"pair-{number}", 2, category=category)
    await sale.join("single", 1, category=category)
    await sale.give_back(await sale.sell(3))
    await sale.round()
    assert await sale.offered("single") == (3,)


async def test_places_of_one_network(runtime: Runtime, make_event: MakeEvent) -> None:
    sale = list_of(runtime, await make_event(), places_of_network=2)
    await sale.join("a", network="n1")
    await sale.join("b", network="n1")
    with pytest.raises(TooManyPlaces):
        await sale.join("c", network="n1")
    assert (await sale.join("a", network="n1")).ahead == 0
    await sale.join("c", network="n2")
    await sale.waiting_list.leave(sale.event, "a")
    await sale.join("d", network="n1")


async def test_many_join_at_once(runtime: Runtime, make_event: MakeEvent) -> None:
    """E1, F3: they share a commit, and each has a place of its own, whoever is refused beside them; one visitor has
    one.
    """
    sale = list_of(runtime, await make_event(), places_of_network=3)
    names = [f"v{number}" for number in range(20)]
    joined = await asyncio.gather(
        *(sale.join(name, network=name) for name in names),
        *(sale.join("twice", network="twice") for _ in range(3)),
        *(sale.join(f"crowd{number}", network="crowd") for number in range(6)),
        sale.join("v0", network="v0", seats=2),
        return_exceptions=True,
    )
    places = [one for one in joined if isinstance(one, Wish)]
    assert [wish.visitor for wish in places[:20]] == names
    assert len({wish.id for wish in places if wish.visitor == "twice"}) == 1
    assert sum(wish.visitor.startswith("crowd") for wish in places) == 3
    assert sorted(type(one).__name__ for one in joined if not isinstance(one, Wish)) == [
        "AlreadyOnList",
        *["TooManyPlaces"] * 3,
    ]
    kept = await sale.waiting_list.wishes.of_event(sale.event.id)
    assert [wish.ahead for wish in kept] == list(range(24))
    told = {wish.id: wish.ahead for wish in places}
    assert {wish.id: wish.ahead for wish in kept} == told


async def test_who_an_operator_keeps_out_is_passed_over(sale: ListOfSale) -> None:
    bought = await sale.sell(0)
    await sale.join("out")
    await sale.join("in")
    await rows(
        sale.runtime,
        "INSERT INTO removals (event_id, visitor, until, actor) VALUES ($1, 'out', now() + interval '1 hour', 'test')",
        sale.event.id,
    )
    await sale.give_back(bought)
    await sale.round()
    assert await sale.offered("out") == ()
    assert await sale.offered("in") == (0,)
