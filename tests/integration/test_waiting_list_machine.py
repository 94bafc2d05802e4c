"""F5, F10: joining, leaving, passing, taking, paying, giving back, time, and a lost Redis in any order, on real stores.

After each step every seat is in one hand, looks on the board as it must, and every offer is whole; after each round
nobody waits whom the seats there are could serve, and no seat came back on the map that somebody waited for.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.booking.refund import RefundAsked
from core.booking.reservation import Reservation
from core.errors import AlreadyOnList, NotOnList, OfferOver, OfferTaken, TooManySeats
from core.venue.event import SaleStatus
from core.venue.new_event import NewEvent
from tests.booking import close_desks, retire, rows
from tests.conftest import small_plan
from tests.machine_world import World
from tests.waiting_list import ListOfSale, list_of

SEATS = 4
OFFERS_A_DAY = 5
VISITORS = ["a", "b", "c"]
visitors = st.sampled_from(VISITORS)

_OFFERS = """
SELECT o.*, w.seats AS wished, w.state AS wish_state FROM offers o JOIN wishes w ON w.id = o.wish_id
WHERE o.event_id = $1 AND o.state = 'OPEN'
"""
# `passed`: also what the visitor had in an offer by an earlier place in the list.
_WAITING = """
SELECT w.visitor, w.seats, w.passed || ARRAY(
    SELECT k.id FROM returned_seats k JOIN offers o ON k.ordinal = ANY (o.ordinals) AND k.returned_at <= o.made_at
    JOIN wishes b ON b.id = o.wish_id
    WHERE k.event_id = $1 AND o.event_id = $1 AND o.state <> 'OPEN' AND b.visitor = w.visitor
) AS passed, (SELECT count(*) FROM offers o JOIN wishes b ON b.id = o.wish_id WHERE b.event_id = $1
    AND b.visitor = w.visitor) AS offered
FROM wishes w WHERE w.event_id = $1 AND w.state = 'WAITING' ORDER BY number
"""
_KEPT = """
SELECT k.*, s.status, k.returned_at + interval '1800 seconds' > now() AS fresh
FROM returned_seats k JOIN seats s USING (event_id, ordinal) WHERE k.event_id = $1 AND NOT k.freed
"""
_SEATS = """
SELECT s.ordinal, s.status, r.offer_id FROM seats s
LEFT JOIN reservation_seats l ON l.event_id = s.event_id AND l.ordinal = s.ordinal AND l.live
LEFT JOIN reservations r ON r.id = l.reservation_id
WHERE s.event_id = $1 ORDER BY s.ordinal
"""


_BOUGHT = """
SELECT r.visitor, count(*) AS seats FROM reservations r
JOIN reservation_seats l ON l.reservation_id = r.id AND l.live WHERE r.event_id = $1 GROUP BY 1
"""


class List(RuleBasedStateMachine):
    world: World

    def __init__(self) -> None:
        super().__init__()
        runtime = self.world.runtime
        event = self.run(
            runtime.events.create(
                NewEvent(
                    slug=f"w-{secrets.token_hex(6)}",
                    name="Machine",
                    prices={"Standard": 100},
                    status=SaleStatus.OPEN,
                    active_limit=1_000,
                    hold_seconds=3_000,
                    max_seats=SEATS,
                ),
                small_plan(SEATS),
            )
        )
        self.sale: ListOfSale = list_of(runtime, event)
        self.owners = 0
        self.bought: list[Reservation] = []
        self.taken: list[Reservation] = []

    def run(self, work: Any) -> Any:
        return self.world.run(work)

    def rows(self, query: str) -> list[Any]:
        return list(self.run(rows(self.world.runtime, query, self.sale.event.id)))

    def free(self) -> list[int]:
        return [row["ordinal"] for row in self.rows(_SEATS) if row["status"] == "AVAILABLE"]

    @precondition(lambda self: self.free())
    @rule(count=st.integers(1, 2))
    def sell(self, count: int) -> None:
        self.owners += 1
        seats = self.free()[:count]
        self.bought.append(self.run(self.sale.sell(*seats, visitor=f"o{self.owners}")))

    @precondition(lambda self: self.bought)
    @rule(which=st.integers(0, 9), single=st.booleans())
    def give_back(self, which: int, single: bool) -> None:
        reservation = self.bought.pop(which % len(self.bought))
        given = [reservation.seats[0]] if single and len(reservation.seats) > 1 else None
        self.run(self.world.runtime.waiting_room.leave(self.sale.event, reservation.visitor))
        asked = RefundAsked(key=secrets.token_hex(4), reason="sorry", asked_by="operator", seats=given)
        self.run(self.sale.desk.checkout.refund(reservation.id, asked))
        now = self.run(self.sale.settled(reservation))
        if given is not None:
            self.bought.append(now)

    @rule(visitor=visitors, count=st.integers(1, 3))
    def join(self, visitor: str, count: int) -> None:
        with contextlib.suppress(AlreadyOnList, TooManySeats):
            self.run(self.sale.join(visitor, count))

    @rule(visitor=visitors)
    def leave(self, visitor: str) -> None:
        self.run(self.sale.waiting_list.leave(self.sale.event, visitor))

    @rule(visitor=visitors)
    def pass_on(self, visitor: str) -> None:
        with contextlib.suppress(NotOnList, OfferOver):
            self.run(self.sale.waiting_list.pass_on(self.run(self.sale.own(visitor))))

    @rule(visitor=visitors, device=st.booleans())
    def take(self, visitor: str, device: bool) -> None:
        try:
            taken = self.run(self.sale.take(visitor, by=f"{visitor}-phone" if device else visitor))
        except (NotOnList, OfferOver, OfferTaken, TooManySeats):
            return
        if taken.status == "PAYING" and taken.id not in {one.id for one in self.taken}:
            self.taken.append(taken)

    @precondition(lambda self: self.taken)
    @rule(says=st.sampled_from(["approve", "decline"]))
    def pay(self, says: str) -> None:
        self.sale.desk.bank.says = says
        paid = self.run(self.sale.paid(self.taken.pop(0)))
        self.sale.desk.bank.says = "approve"
        assert paid.status == ("CONFIRMED" if says == "approve" else "FAILED")
        if says == "approve":
            self.bought.append(paid)

    @rule(seconds=st.sampled_from([31, 1_801]))
    def time_passes(self, seconds: int) -> None:
        self.run(self.sale.pass_time(seconds))

    @rule()
    def redis_is_lost(self) -> None:
        self.run(self.world.runtime.redis.flushall())

    @rule()
    def a_round(self) -> None:
        kept = {row["ordinal"]: row for row in self.rows(_KEPT) if row["offer_id"] is None}
        self.run(self.sale.round())
        waiting = self.rows(_WAITING)
        freed = [kept[ordinal] for ordinal in self.free() if ordinal in kept]
        for seat in freed:
            assert not seat["fresh"] or all(seat["id"] in wish["passed"] for wish in waiting), "somebody waited for it"
        left = [row for row in self.rows(_KEPT) if row["offer_id"] is None]
        bought = {row["visitor"]: row["seats"] for row in self.rows(_BOUGHT)}
        for wish in waiting:
            if wish["seats"] + bought.get(wish["visitor"], 0) + bought.get(f"{wish['visitor']}-phone", 0) <= SEATS:
                fits = [seat for seat in left if seat["id"] not in wish["passed"]]
                assert len(fits) < wish["seats"] or wish["offered"] >= OFFERS_A_DAY, "nobody is passed over"

    @invariant()
    def every_offer_is_whole(self) -> None:
        kept = self.rows(_KEPT)
        offered = [ordinal for offer in self.rows(_OFFERS) for ordinal in offer["ordinals"]]
        assert len(offered) == len(set(offered)), "one seat in two offers"
        for offer in self.rows(_OFFERS):
            assert offer["wish_state"] == "OFFERED"
            assert len(offer["ordinals"]) == offer["wished"]
            assert sorted(row["ordinal"] for row in kept if row["offer_id"] == offer["id"]) == sorted(offer["ordinals"])

    @invariant()
    def every_seat_is_in_one_hand_and_looks_so(self) -> None:
        kept = {row["ordinal"] for row in self.rows(_KEPT)}
        board = self.run(self.sale.board())
        for row in self.rows(_SEATS):
            by_list = row["status"] == "PAYING" and row["offer_id"] is not None
            assert (row["ordinal"] in kept) == (row["status"] == "RETURNED" or by_list), row
            looks = 0 if row["status"] == "AVAILABLE" else 2
            assert board[row["ordinal"]] == looks, (row, board)


def test_the_waiting_list_in_any_order(world: World) -> None:
    async def begin() -> None:
        await retire(world.runtime)

    def prepare() -> None:
        world.run(begin())

    world.do(prepare)
    machine = type("Machine", (List,), {"world": world})
    try:
        world.check(machine, examples=12, steps=30)
    finally:
        world.do(lambda: world.run(close_desks()))
