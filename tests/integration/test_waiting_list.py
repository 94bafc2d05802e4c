"""The waiting list on real stores: offers, taking, passing on, and seats that come back on the map (F5, F10)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any
from zlib import crc32

import pytest

from core.errors import (
    CodeRequired,
    NotOnList,
    OfferOver,
    OfferTaken,
    OnsaleError,
    SaleClosed,
    SaleNotOpen,
    SeatTaken,
)
from core.notifications.mailer import MailAway
from core.runtime import Runtime
from core.seats.board import SeatState
from core.venue.event import Event, SaleStatus
from core.venue.phase import Phase
from tests.booking import Killed, check_books, finish_all, rows
from tests.conftest import MakeEvent
from tests.waiting_list import ListOfSale, list_of

AVAILABLE, HELD, SOLD, BLOCKED = SeatState


pytestmark = pytest.mark.usefixtures("patient", "alone")


async def test_a_returned_pair_goes_to_the_first_whose_wish_it_meets(sale: ListOfSale) -> None:
    """Free on no screen meanwhile, held by nobody; bought on another device; all books agree afterwards."""
    bought = await sale.sell(1, 2)
    three, pair, single = await sale.join("three", 3), await sale.join("pair", 2), await sale.join("single")
    assert [wish.ahead for wish in (three, pair, single)] == [0, 1, 2]
    await sale.give_back(bought)
    assert (await sale.statuses())[1:3] == ["RETURNED", "RETURNED"]
    assert (await sale.board())[1:3] == [SOLD, SOLD]
    await sale.round()
    assert await sale.offered("pair") == (1, 2)
    assert await sale.offered("three") == await sale.offered("single") == ()
    assert (await sale.board())[1:3] == [SOLD, SOLD]
    await sale.runtime.waiting_room.join(sale.event, "stranger")
    with pytest.raises(SeatTaken):
        await sale.runtime.seats.hold(sale.event, "stranger", [1])
    assert not (await sale.runtime.reconcile.run(sale.event)).found

    taken = await sale.take("pair", by="phone")
    assert (taken.visitor, taken.seats, taken.email) == ("phone", (1, 2), "pair@example.org")
    assert (await sale.take("pair", by="phone")).id == taken.id
    with pytest.raises(OfferTaken):
        await sale.take("pair")
    assert not (await sale.runtime.reconcile.run(sale.event)).found, "what is paid for from the list looks sold"
    assert (await sale.paid(taken)).status == "CONFIRMED"
    assert await sale.kept() == {}
    assert (await sale.own("pair")).state == "TAKEN"
    await check_books(sale.runtime, sale.event, sale.desk.bank)


async def test_offers_pass_on_by_themselves_and_then_the_map_has_the_seat(sale: ListOfSale) -> None:
    """A time that ends, a place that is left, an offer passed on; the last one's seat comes back within 30 s."""
    bought = await sale.sell(3)
    for visitor in ("silent", "leaves", "passes", "last"):
        await sale.join(visitor)
    await sale.give_back(bought)
    await sale.round()
    assert await sale.offered("silent") == (3,)
    await sale.pass_time(1_801)
    with pytest.raises(OfferOver):
        await sale.take("silent")
    await sale.round()
    assert (await sale.own("silent")).state == "LAPSED"
    assert await sale.offered("leaves") == (3,)
    await sale.waiting_list.leave(sale.event, "leaves")
    await sale.waiting_list.leave(sale.event, "leaves")
    with pytest.raises(NotOnList):
        await sale.own("leaves")
    await sale.round()
    assert await sale.offered("passes") == (3,)
    await sale.waiting_list.pass_on(await sale.own("passes"))
    with pytest.raises(OfferOver):
        await sale.waiting_list.pass_on(await sale.own("passes"))
    await sale.round()
    assert (await sale.own("passes")).state == "WAITING"
    assert await sale.offered("last") == (3,)
    await sale.pass_time(1_801)
    await sale.round()
    # Nobody is left for it: "passes" did not want it.
    assert (await sale.board())[3] == SOLD
    [moment] = await rows(
        sale.runtime, "SELECT free_at - now() AS left FROM returned_seats WHERE event_id = $1", sale.event.id
    )
    assert moment["left"] <= timedelta(seconds=30)
    await sale.pass_time(30)
    await sale.round()
    assert (await sale.board())[3] == AVAILABLE
    assert await sale.kept() == {}
    await sale.runtime.waiting_room.join(sale.event, "stranger")
    assert (await sale.runtime.seats.hold(sale.event, "stranger", [3])).seats == (3,)


async def test_without_a_list_it_comes_back_at_a_random_moment(sale: ListOfSale) -> None:
    """F5: refunded seats at moments of their own within 30 s; a declined card's are free at once."""
    first, second = await sale.sell(0, 1, 2, 3), await sale.sell(4, 5, visitor="other")
    await sale.give_back(first)
    await sale.give_back(second)
    moments = await rows(
        sale.runtime, "SELECT free_at - returned_at AS left FROM returned_seats WHERE event_id = $1", sale.event.id
    )
    assert len({row["left"] for row in moments}) == 6
    assert all(timedelta(0) <= row["left"] <= timedelta(seconds=30) for row in moments)
    await sale.pass_time(30)
    await sale.round()
    assert await sale.board() == [AVAILABLE] * 6
    sale.desk.bank.says = "decline"
    declined = await sale.desk.ended(await sale.desk.buy(sale.event, "declined", 2))
    await sale.settled(declined)
    assert (await sale.statuses())[2] == "AVAILABLE"
    assert (await sale.board())[2] == AVAILABLE


@pytest.mark.parametrize("waits", [True, False])
async def test_cancel_and_rebook_by_another_account(runtime: Runtime, make_event: MakeEvent, waits: bool) -> None:
    """0 of 100 while somebody waits, even for more than that seat; without the list and the random time all of them."""
    sale = list_of(runtime, await make_event(seats=2, active_limit=200), return_seconds=30.0 if waits else 0.0)
    if waits:
        await sale.join("waits", 2)
    await runtime.waiting_room.join(sale.event, "friend")
    rebooked = 0
    for attempt in range(100 if waits else 5):
        bought = await sale.sell(0, visitor=f"owner{attempt}")
        await sale.give_back(bought)
        for _ in range(3):
            await sale.round()
            try:
                await runtime.seats.hold(sale.event, "friend", [0])
                rebooked += 1
                await runtime.seats.release(sale.event, "friend", None)
                break
            except SeatTaken:
                await sale.pass_time(19)
        if waits:
            # As it was, for the next attempt.
            await rows(runtime, "DELETE FROM returned_seats WHERE event_id = $1", sale.event.id)
            await rows(runtime, "UPDATE seats SET status = 'AVAILABLE' WHERE event_id = $1", sale.event.id)
            await runtime.seats.reopen(sale.event, [0])
    assert rebooked == (0 if waits else 5)


async def test_seats_of_a_smaller_group_are_kept_for_the_larger_one_for_a_while(sale: ListOfSale) -> None:
    """Two who each give one seat back serve the pair that waits; nobody waits for ever for a second seat."""
    first, second = await sale.sell(0), await sale.sell(1, visitor="other")
    await sale.join("pair", 2)
    await sale.give_back(first)
    await sale.round()
    await sale.pass_time(60)
    await sale.round()
    assert await sale.kept() == {0: None}
    assert (await sale.board())[0] == SOLD
    await sale.give_back(second)
    await sale.round()
    assert await sale.offered("pair") == (0, 1)
    await sale.waiting_list.leave(sale.event, "pair")
    await sale.join("trio", 3)
    await sale.pass_time(1_801)
    for _ in range(2):
        await sale.round()
        await sale.pass_time(30)
    await sale.round()
    assert (await sale.board())[:2] == [AVAILABLE, AVAILABLE]


async def test_a_payment_that_comes_to_nothing_gives_the_seats_to_the_next(sale: ListOfSale) -> None:
    bought = await sale.sell(2)
    await sale.join("first")
    await sale.join("next")
    await sale.give_back(bought)
    await sale.round()
    sale.desk.bank.says = "decline"
    failed = await sale.paid(await sale.take("first"))
    assert failed.status == "FAILED"
    assert (await sale.statuses())[2] == "RETURNED"
    assert (await sale.board())[2] == SOLD
    await sale.round()
    assert await sale.offered("next") == (2,)
    sale.desk.bank.says = "approve"
    taken = await sale.take("next")
    given_up = await sale.desk.checkout.cancel(taken.id, "next")
    await sale.settled(given_up)
    assert given_up.status == "CANCELLED"
    assert (await sale.board())[2] == SOLD
    await sale.join("third")
    await sale.round()
    assert (await sale.paid(await sale.take("third"))).status == "CONFIRMED"
    await check_books(sale.runtime, sale.event, sale.desk.bank)


async def test_taken_twice_at_once_is_one_reservation(sale: ListOfSale) -> None:
    bought = await sale.sell(0)
    await sale.join("v")
    await sale.give_back(bought)
    await sale.round()
    wish = await sale.own("v")

    async def take(by: str) -> str:
        try:
            return str((await sale.waiting_list.take(sale.event, wish, by)).id)
        except (OfferTaken, OfferOver) as refused:
            return refused.code

    answers = await asyncio.gather(*(take(by) for by in ("v", "v", "phone", "tablet", "v")))
    ids = {one for one in answers if one not in ("offer_taken", "offer_over")}
    assert len(ids) == 1
    [count] = await rows(
        sale.runtime, "SELECT count(*) FROM reservations WHERE event_id = $1 AND offer_id IS NOT NULL", sale.event.id
    )
    assert count["count"] == 1


async def test_the_loss_of_redis_loses_nothing(sale: ListOfSale) -> None:
    """Lost with seats on offer, with one being paid for, and with one that waits to come back."""
    bought = await sale.sell(0, 1, 2)
    await sale.join("one")
    await sale.join("two")
    await sale.give_back(bought)
    await sale.round()
    taken = await sale.take("one")
    await sale.runtime.redis.flushall()
    assert await sale.board() == [SOLD, SOLD, SOLD, AVAILABLE, AVAILABLE, AVAILABLE]
    assert not (await sale.runtime.reconcile.run(sale.event)).found
    assert await sale.offered("two") == (1,)
    assert (await sale.paid(taken)).status == "CONFIRMED"
    await sale.runtime.redis.flushall()
    assert (await sale.paid(await sale.take("two"))).status == "CONFIRMED"
    await sale.pass_time(31)
    await sale.runtime.redis.flushall()
    await sale.round()
    assert await sale.board() == [SOLD, SOLD, AVAILABLE, AVAILABLE, AVAILABLE, AVAILABLE]
    await check_books(sale.runtime, sale.event, sale.desk.bank)


class _Dies:
    """Boards on which the process dies, before or after it shows seats, once."""

    def __init__(self, runtime: Runtime, *, before: bool) -> None:
        self._boards = runtime.waiting_list.rounds.boards
        self._before = before
        self.dead = False

    async def reopen_free(self, event: Event, ordinals: Sequence[int]) -> None:
        if not self.dead and self._before:
            self.dead = True
            raise Killed
        await self._boards.reopen_free(event, ordinals)
        if not self.dead:
            self.dead = True
            raise Killed


@pytest.mark.parametrize("before", [True, False])
async def test_a_process_that_dies_between_row_and_board(runtime: Runtime, make_event: MakeEvent, before: bool) -> None:
    """The next round shows the seat; one that was sold again meanwhile is not opened."""
    sale = list_of(runtime, await make_event(seats=4), boards=_Dies(runtime, before=before))
    bought = await sale.sell(0, 1)
    await sale.give_back(bought)
    await sale.pass_time(30)
    with pytest.raises(Killed):
        await sale.round()
    assert (await sale.statuses())[:2] == ["AVAILABLE", "AVAILABLE"]
    assert (await sale.board())[:2] == ([SOLD, SOLD] if before else [AVAILABLE, AVAILABLE])
    if not before:
        await sale.sell(0, visitor="quick")
    await sale.round()
    assert (await sale.board())[:2] == ([AVAILABLE, AVAILABLE] if before else [SOLD, AVAILABLE])
    assert await sale.kept() == {}


async def test_an_e_mail_for_each_offer(sale: ListOfSale) -> None:
    """With the link of that offer, in the language asked for; tried again while the mail server is away, repeated under
    the same Message-ID by whoever goes on after a death.
    """
    starts_at = datetime(2031, 12, 24, 19, 0, tzinfo=UTC)
    await sale.runtime.events.update(sale.event.slug, venue="City Hall", address="Main Street 1", starts_at=starts_at)
    bought = await sale.sell(0, 1)
    await sale.join("v")
    await sale.join("w")
    await sale.give_back(bought)
    await sale.round()
    sale.postbox.trouble, sale.postbox.before = MailAway("away"), True
    await sale.mails.run()
    assert sale.postbox.sent == []
    await rows(sale.runtime, "UPDATE offers SET mailing_until = NULL WHERE event_id = $1", sale.event.id)
    sale.postbox.trouble, sale.postbox.before = Killed(), False
    with pytest.raises(Killed):
        await sale.mails.run()
    await rows(sale.runtime, "UPDATE offers SET mailing_until = NULL WHERE event_id = $1", sale.event.id)
    await sale.mails.run()
    await sale.mails.run()
    sent = [(letter.recipient, letter.message_id) for letter in sale.postbox.sent]
    assert len(sent) == 3
    assert len(set(sent)) == 2
    wish = await sale.own("v")
    assert wish.offer is not None
    letter = next(letter for letter in sale.postbox.sent if letter.recipient == "v@example.org")
    mail: Any = message_from_bytes(letter.content, policy=default)
    text = mail.get_body(("plain",)).get_content()
    for told in (text, mail.get_body(("html",)).get_content()):
        assert all(words in told for words in ("2031", "City Hall", "Main Street 1")), "when and where"
    secret = sale.waiting_list.secret(wish.offer)
    assert f"https://shop.example/returns/{wish.id}?s={secret}" in text
    assert "Stalls" in text
    assert "₩15,000" in text


async def test_the_link_is_good_for_its_offer_alone(sale: ListOfSale) -> None:
    """On any device; a wrong one, another wish's and that of an offer that is over are told like what is not there."""
    bought = await sale.sell(0, 1)
    await sale.join("v")
    await sale.join("w")
    await sale.give_back(bought)
    await sale.round()
    wish, other = await sale.own("v"), await sale.own("w")
    assert wish.offer is not None
    assert other.offer is not None
    secret = sale.waiting_list.secret(wish.offer)
    assert (await sale.waiting_list.of_link(wish.id, "anybody", secret)).id == wish.id
    assert (await sale.waiting_list.of_link(wish.id, "v", None)).id == wish.id
    for id, visitor, given in (
        (wish.id, "w", None),
        (wish.id, "v", ""),
        (wish.id, "v", "0" * 32),
        (wish.id, "v", sale.waiting_list.secret(other.offer)),
        (other.id, "v", secret),
    ):
        with pytest.raises(NotOnList):
            await sale.waiting_list.of_link(id, visitor, given)


async def test_while_nothing_is_sold_nothing_is_offered(sale: ListOfSale) -> None:
    """Closed: kept until it is open again; cancelled: on the board at once, and the list is over."""
    bought = await sale.sell(0)
    await sale.join("v")
    await sale.give_back(bought)
    await sale.runtime.events.set_status(sale.event.slug, SaleStatus.CLOSED)
    sale.event = await sale.runtime.events.fresh(sale.event.slug)
    await sale.round()
    assert await sale.offered("v") == ()
    assert (await sale.statuses())[0] == "RETURNED"
    with pytest.raises(SaleClosed):
        await sale.join("late")
    await sale.runtime.events.set_status(sale.event.slug, SaleStatus.OPEN)
    sale.event = await sale.runtime.events.fresh(sale.event.slug)
    await sale.round()
    assert await sale.offered("v") == (0,)
    await sale.runtime.events.set_status(sale.event.slug, SaleStatus.CLOSED)
    sale.event = await sale.runtime.events.fresh(sale.event.slug)
    with pytest.raises(SaleClosed):
        await sale.take("v")
    await rows(sale.runtime, "UPDATE events SET cancelled_at = now() WHERE id = $1", sale.event.id)
    sale.event = await sale.runtime.events.fresh(sale.event.slug)
    await sale.pass_time(1_801)
    for _ in range(2):
        await sale.round()
    assert (await sale.board())[0] == AVAILABLE


async def test_nobodys_time_runs_out_while_the_sale_is_paused(sale: ListOfSale) -> None:
    """F10: the seat stays the list's, however long that is."""
    bought = await sale.sell(0)
    await sale.join("v")
    await sale.give_back(bought)
    await sale.runtime.events.update(sale.event.slug, paused=True)
    sale.event = await sale.runtime.events.fresh(sale.event.slug)
    await sale.pass_time(7_200)
    for _ in range(2):
        await sale.round()
        await sale.pass_time(60)
    assert (await sale.statuses())[0] == "RETURNED"
    await sale.runtime.events.update(sale.event.slug, paused=False)
    sale.event = await sale.runtime.events.fresh(sale.event.slug)
    await sale.round()
    assert await sale.offered("v") == (0,)


async def test_phases_codes_and_quotas(runtime: Runtime, make_event: MakeEvent) -> None:
    """F7: what is taken counts in the phase that wants no code, and never past its quota; in a presale for codes there
    is no list to go round it by.
    """
    now = runtime.clock.now()
    general = Phase("general", now - timedelta(hours=1), None, 0, quota=2)
    event = await make_event(seats=6, phases=(general,), status=SaleStatus.SCHEDULED)
    sale = list_of(runtime, event)
    first, _ = await sale.sell(0), await sale.sell(1, visitor="b")
    await sale.join("v")
    await sale.join("w")
    await sale.give_back(first)
    await sale.round()
    assert await sale.offered("v") == (0,)
    taken = await sale.paid(await sale.take("v"))
    assert (taken.status, taken.phase) == ("CONFIRMED", "general")
    await rows(runtime, "UPDATE phases SET code_group = 'fans' WHERE event_id = $1", event.id)
    sale.event = await runtime.events.fresh(event.slug)
    with pytest.raises((CodeRequired, SaleNotOpen)):
        await sale.join("without")
    await check_books(runtime, event, sale.desk.bank)


async def test_a_sale_that_is_not_open_has_no_list(runtime: Runtime, make_event: MakeEvent) -> None:
    sale = list_of(runtime, await make_event(status=SaleStatus.SCHEDULED))
    with pytest.raises(SaleNotOpen):
        await sale.join("early")
    with pytest.raises(NotOnList):
        await sale.own("early")


async def test_a_change_of_mind_everywhere_at_once(sale: ListOfSale) -> None:
    """Taking, passing, leaving, lapsing and rounds at the same moment: no seat is in two hands, none is lost."""
    bought = await sale.sell(0, 1, 2)
    visitors = [f"v{n}" for n in range(8)]
    for visitor in visitors:
        await sale.join(visitor)
    await sale.give_back(bought)

    async def wander(visitor: str) -> None:
        for _ in range(4):
            try:
                wish = await sale.own(visitor)
                match crc32(f"{visitor} {wish.state}".encode()) % 4:
                    case 0:
                        await sale.waiting_list.take(sale.event, wish, visitor)
                    case 1:
                        await sale.waiting_list.pass_on(wish)
                    case 2:
                        await sale.waiting_list.leave(sale.event, visitor)
                    case _:
                        await sale.round()
            except OnsaleError:
                await sale.round()

    await asyncio.gather(*(wander(visitor) for visitor in visitors))
    for row in await rows(
        sale.runtime, "SELECT * FROM reservations WHERE event_id = $1 AND status = 'PAYING'", sale.event.id
    ):
        reservation = await sale.desk.checkout.get(row["id"], row["visitor"])
        await sale.paid(reservation)
    for _ in range(3):
        await sale.pass_time(1_900)
        await sale.round()
    await finish_all(sale.desk, sale.event)
    for _ in range(12):
        await sale.pass_time(1_900)
        await sale.round()
    assert "RETURNED" not in await sale.statuses()
    assert await sale.kept() == {}
    await check_books(sale.runtime, sale.event, sale.desk.bank)
