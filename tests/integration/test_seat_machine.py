"""R11: every seat script in any order, on real stores, against a plain model.

After each step the board's byte, the state key, the deadline, the basket and PostgreSQL's row of every seat are what
the model says. Redis may hear late of what PostgreSQL decided (`tell`), or again, lose its board or everything, and be
corrupted and mended in between; a BLOCKED row never shows free.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core import keys
from core.database import raw
from core.errors import (
    HoldExpired,
    HoldNotExtendable,
    NoSeatsHeld,
    OnsaleError,
    PaymentInProgress,
    SeatTaken,
    TooManySeats,
)
from core.seats.board import SeatState
from core.seats.hold_scripts_redis import HOLD_KEPT_MS
from core.seats.scripts_redis import PAYMENT_PROTECTION_MS
from core.upkeep import reconcile
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from tests.conftest import small_plan
from tests.machine_world import World
from tests.seat_stores import Reservation, SeatStores

# Few of each, so that they meet often.
SEATS, MOST, EXTENSIONS = 4, 2, 1
VISITORS = ["a", "b", "c"]
#: By so much a machine's clock may be set back while it is looked at, in milliseconds.
_CLOCK_SET_MS = 10_000
visitors = st.sampled_from(VISITORS)
seats = st.integers(0, SEATS - 1)
some_seats = st.lists(seats, min_size=1, max_size=MOST, unique=True)
AVAILABLE, HELD, SOLD, BLOCKED = SeatState


@dataclass(eq=False)
class Basket:
    """`over`: its time has passed and no sweep has met it, so that Redis has no states of its seats any more."""

    seats: list[int]
    fence: int
    paying: bool = False
    over: bool = False
    extensions: int = EXTENSIONS
    reserved: bool = False

    @property
    def has_states(self) -> bool:
        return self.paying or not self.over


class Hall(RuleBasedStateMachine):
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.rows = ["AVAILABLE"] * SEATS
        self.board = [AVAILABLE] * SEATS
        self.baskets: dict[str, Basket] = {}
        self.lapsed: set[str] = set()
        self.holds: set[int] = set()
        self.reservations: list[Reservation] = []
        self.untold: list[Reservation] = []
        # What Redis knows of a buyer's share: seats bought, under which fence; extensions of the session (F3, F5).
        self.bought: dict[str, dict[int, int]] = {}
        self.extended: dict[str, int] = {}
        self.event: Event = self.world.run(
            self.world.runtime.events.create(
                NewEvent(
                    slug=f"h-{secrets.token_hex(6)}",
                    name="Machine",
                    prices={"Standard": 1},
                    status=SaleStatus.OPEN,
                    active_limit=10,
                    hold_seconds=3_000,
                    max_seats=MOST,
                ),
                small_plan(SEATS),
            )
        )
        self.stores = SeatStores(self.world.runtime, self.event)
        self._enter()

    def _enter(self) -> None:
        for visitor in VISITORS:
            self.world.run(self.world.runtime.waiting_room.join(self.event, visitor))

    # What the model says of one seat.

    def _holder(self, seat: int) -> str | None:
        """Who has the seat's state in Redis."""
        return next((v for v, b in self.baskets.items() if b.has_states and seat in b.seats), None)

    def _free(self, visitor: str, freed: list[int]) -> None:
        """Seats leave a basket, which goes when it is empty."""
        basket = self.baskets[visitor]
        for seat in freed:
            if self._holder(seat) not in (None, visitor):
                continue
            self.holds.discard(seat)
            if self.board[seat] == HELD:
                self.board[seat] = AVAILABLE
        basket.seats = [seat for seat in basket.seats if seat not in freed]
        if not basket.seats:
            del self.baskets[visitor]

    def _take(self, seat: int) -> None:
        """The seat leaves the basket that has its state, whatever the basket is for."""
        holder = self._holder(seat)
        self.holds.discard(seat)
        if holder is not None:
            basket = self.baskets[holder]
            basket.seats.remove(seat)
            if not basket.seats:
                del self.baskets[holder]

    # What visitors do.

    @rule(visitor=visitors, wanted=some_seats)
    def hold(self, visitor: str, wanted: list[int]) -> None:
        basket = self.baskets.get(visitor)
        refusal: type[OnsaleError] | None = None
        if basket is not None and basket.paying:
            refusal = PaymentInProgress
        else:
            self.lapsed.discard(visitor)
            if basket is not None and basket.over:
                self._free(visitor, list(basket.seats))
            own = self.baskets[visitor].seats if visitor in self.baskets else []
            new = [seat for seat in wanted if seat not in own]
            if len(own) + len(new) + len(self.bought.get(visitor, {})) > MOST:
                refusal = TooManySeats
            elif any(self._holder(seat) is not None or self.board[seat] != AVAILABLE for seat in new):
                refusal = SeatTaken
        held = self._call(self.world.runtime.seats.hold(self.event, visitor, wanted), refusal)
        if held is None:
            return
        left = max(0, EXTENSIONS - self.extended.get(visitor, 0))
        basket = self.baskets.setdefault(visitor, Basket([], 0, extensions=left))
        for seat in new:
            self.board[seat] = HELD
        basket.seats += new
        self.holds |= set(basket.seats)
        assert held.fence > basket.fence if new else held.fence == basket.fence
        assert held.fence > max(self.world.run(self.stores.fences(wanted))), "PostgreSQL would refuse it"
        basket.fence = held.fence
        assert list(held.seats) == basket.seats

    @rule(visitor=visitors, some=st.none() | some_seats)
    def release(self, visitor: str, some: list[int] | None) -> None:
        basket = self.baskets.get(visitor)
        refusal = PaymentInProgress if basket is not None and basket.paying else None
        if refusal is None:
            self.lapsed.discard(visitor)
            if basket is not None:
                self._free(visitor, [seat for seat in basket.seats if some is None or seat in some])
        left = self._call(self.world.runtime.seats.release(self.event, visitor, some), refusal)
        if refusal is None:
            assert list(left.seats if left else []) == (self.baskets[visitor].seats if visitor in self.baskets else [])

    @rule(visitor=visitors)
    def extend(self, visitor: str) -> None:
        basket = self.baskets.get(visitor)
        refusal = self._not_held(visitor) or (HoldNotExtendable if basket and basket.extensions == 0 else None)
        if refusal is None and basket is not None:
            basket.extensions -= 1
            self.extended[visitor] = self.extended.get(visitor, 0) + 1
        self._call(self.world.runtime.seats.extend(self.event, visitor), refusal)

    @rule(visitor=visitors)
    def begin(self, visitor: str) -> None:
        refusal = self._not_held(visitor)
        if refusal is None:
            self.baskets[visitor].paying = True
            self.holds -= set(self.baskets[visitor].seats)
        self._call(self.world.runtime.seats.begin_payment(self.event, visitor), refusal)

    def _not_held(self, visitor: str) -> type[OnsaleError] | None:
        basket = self.baskets.get(visitor)
        if basket is None:
            return HoldExpired if visitor in self.lapsed else NoSeatsHeld
        if basket.paying:
            return PaymentInProgress
        return HoldExpired if basket.over else None

    @rule(visitor=visitors)
    def abort(self, visitor: str) -> None:
        basket = self.baskets.get(visitor)
        if basket is None or not basket.paying or basket.reserved:
            return
        if basket.over:
            self._free(visitor, list(basket.seats))
        else:
            basket.paying = False
            self.holds |= set(basket.seats)
        self.world.run(self.world.runtime.seats.abort_payment(self.event, visitor, basket.fence))

    # What PostgreSQL decides, and when Redis hears of it.

    @rule(visitor=visitors)
    def reserve(self, visitor: str) -> None:
        basket = self.baskets.get(visitor)
        if basket is None or not basket.paying or basket.reserved:
            return
        made = Reservation(visitor, basket.fence, list(basket.seats))
        assert self.world.run(self.stores.reserve(made)), "the guard refused what Redis had granted"
        basket.reserved = True
        self.reservations.append(made)
        for seat in made.seats:
            self.rows[seat] = "PAYING"

    @precondition(lambda self: any(b.paying and not b.reserved for b in self.baskets.values()))
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        """Rows were blocked by hand: the guard refuses, the checkout tells the rest, and reconcile the blocked ones."""
        visitor = data.draw(st.sampled_from([v for v, b in self.baskets.items() if b.paying and not b.reserved]))
        basket = self.baskets.pop(visitor)
        by_hand = data.draw(st.lists(st.sampled_from(basket.seats), min_size=1, unique=True))
        assert not self.world.run(self.stores.refused(Reservation(visitor, basket.fence, list(basket.seats)), by_hand))
        for seat in basket.seats:
            self.board[seat] = AVAILABLE
        for seat in by_hand:
            self.rows[seat] = "BLOCKED"
        self._mend_all()

    @precondition(lambda self: any(r.status == "PAYING" for r in self.reservations))
    @rule(data=st.data(), approved=st.booleans(), told=st.booleans())
    def end(self, data: st.DataObject, approved: bool, told: bool) -> None:
        ended = data.draw(st.sampled_from([r for r in self.reservations if r.status == "PAYING"]))
        self._change(ended, "CONFIRMED" if approved else "FAILED", told)

    @precondition(lambda self: any(r.status == "CONFIRMED" for r in self.reservations))
    @rule(data=st.data(), told=st.booleans())
    def cancel(self, data: st.DataObject, told: bool) -> None:
        self._change(
            data.draw(st.sampled_from([r for r in self.reservations if r.status == "CONFIRMED"])), "CANCELLED", told
        )

    def _change(self, ended: Reservation, status: str, told: bool) -> None:
        ended.status = status
        for seat in ended.seats:
            self.rows[seat] = "SOLD" if status == "CONFIRMED" else "AVAILABLE"
        self.world.run(self.stores.end(ended))
        if ended not in self.untold:
            self.untold.append(ended)
        if told:
            self._tell(ended)

    @precondition(lambda self: any(r.status != "PAYING" for r in self.reservations))
    @rule(data=st.data())
    def tell(self, data: st.DataObject) -> None:
        """Of any that has ended, the untold first; it may have been told before."""
        ended = [r for r in self.reservations if r.status != "PAYING"]
        self._tell(data.draw(st.sampled_from(sorted(ended, key=lambda r: r not in self.untold))))

    def _tell(self, told: Reservation) -> None:
        """As `Results.tell`: of the seats that are in PostgreSQL as this reservation's end left them."""
        if told in self.untold:
            self.untold.remove(told)
        settled = self.world.run(self.stores.settled(told))
        sold = told.status == "CONFIRMED"
        mine = self.baskets.get(told.visitor)
        bought = self.bought.setdefault(told.visitor, {})
        for seat in settled:
            if sold:
                bought[seat] = told.fence
            elif bought.get(seat) == told.fence:
                del bought[seat]
            holder = self._holder(seat)
            own = holder is None or self.baskets[holder].fence == told.fence
            if own or sold:
                if own:
                    self.holds.discard(seat)
                else:
                    self._take(seat)
                if sold or self.board[seat] == HELD:
                    self.board[seat] = SOLD if sold else AVAILABLE
        if mine is not None and mine.fence == told.fence and self.baskets.get(told.visitor) is mine:
            del self.baskets[told.visitor]
        state = SOLD if sold else AVAILABLE
        runtime = self.world.runtime
        self.world.run(runtime.seats.settle(self.event, told.visitor, told.fence, settled, state))
        if told.status == "CANCELLED":
            for seat in settled:
                if self.board[seat] == SOLD:
                    self.board[seat] = AVAILABLE
            self.world.run(runtime.seats.reopen(self.event, settled))

    # What operators do.

    @rule(some=some_seats)
    def block(self, some: list[int]) -> None:
        changing = sorted(seat for seat in some if self.rows[seat] == "AVAILABLE")
        for seat in changing:
            self._take(seat)
            self.rows[seat], self.board[seat] = "BLOCKED", BLOCKED
        assert self.world.run(self.world.runtime.seats.block(self.event, some, True)) == changing

    @rule(some=some_seats)
    def unblock(self, some: list[int]) -> None:
        changing = sorted(seat for seat in some if self.rows[seat] == "BLOCKED")
        for seat in changing:
            self.rows[seat], self.board[seat] = "AVAILABLE", AVAILABLE
        assert self.world.run(self.world.runtime.seats.block(self.event, some, False)) == changing

    # What time and accidents do.

    @precondition(lambda self: self.baskets)
    @rule(data=st.data(), forgotten=st.booleans())
    def time_passes(self, data: st.DataObject, forgotten: bool) -> None:
        """A basket's time is over; `forgotten`: Redis lost the basket, and only the deadlines of its seats are left."""
        visitor = data.draw(st.sampled_from(list(self.baskets)))
        basket = self.baskets[visitor]
        forgotten = forgotten and not basket.paying
        own = [seat for seat in basket.seats if self._holder(seat) in (None, visitor)]
        self.world.run(self.stores.age(visitor, own, forgotten=forgotten, paying=basket.paying))
        basket.over = True
        if forgotten:
            del self.baskets[visitor]

    @rule()
    def sweep(self) -> None:
        self.world.run(self.world.runtime.waiting_room.sweep(self.event))
        for visitor, basket in list(self.baskets.items()):
            if basket.over and not basket.paying:
                self._free(visitor, list(basket.seats))
                self.lapsed.add(visitor)
        for seat in [seat for seat in self.holds if self._holder(seat) is None]:
            self.holds.discard(seat)
            if self.board[seat] == HELD:
                self.board[seat] = AVAILABLE

    # Into a hall that has nothing left nobody would be let in again.
    @precondition(lambda self: any(row in ("AVAILABLE", "PAYING") for row in self.rows))
    @rule(parts=st.sampled_from(["board", "version", "both", "everything"]))
    def lose(self, parts: str) -> None:
        self.world.run(self.stores.lose(parts))
        if parts == "everything":
            self.baskets = {v: b for v, b in self.baskets.items() if b.reserved and self._paying(v, b)}
            self.lapsed.clear()
            self.holds.clear()
            self.bought.clear()
            self.extended.clear()
        self.board = [{"PAYING": HELD, "SOLD": SOLD, "BLOCKED": BLOCKED}.get(row, AVAILABLE) for row in self.rows]
        for made in self.reservations:
            if made.status == "PAYING":
                for seat in made.seats:
                    if self._holder(seat) != made.visitor:
                        self._take(seat)
                self.lapsed.discard(made.visitor)
                self.baskets[made.visitor] = Basket(list(made.seats), made.fence, paying=True, reserved=True)
        for basket in list(self.baskets.values()):
            for seat in list(basket.seats) if basket.has_states else ():
                if self.rows[seat] == "AVAILABLE":
                    self.board[seat] = HELD
                elif self.rows[seat] != "PAYING":
                    self._take(seat)
        self.world.run(self.world.runtime.seats.ensure_board(self.event))
        if parts == "everything":
            self._enter()

    def _paying(self, visitor: str, basket: Basket) -> bool:
        return any((r.visitor, r.fence, r.status) == (visitor, basket.fence, "PAYING") for r in self.reservations)

    @rule(seat=seats, byte=st.integers(0, 3))
    def corrupt(self, seat: int, byte: int) -> None:
        """Whatever the board says of a seat, reconcile makes all of Redis say what PostgreSQL says."""
        self.world.run(self.stores.corrupt(seat, byte))
        self.board[seat] = SeatState(byte)
        self._mend_all()

    @precondition(lambda self: any(self._paying(v, b) for v, b in self.baskets.items()))
    @rule(data=st.data())
    def forget_a_payment(self, data: st.DataObject) -> None:
        """Redis lost all that it knew of a payment; reconcile gives it back, with what keeps its payer in."""
        visitor = data.draw(st.sampled_from([v for v, b in self.baskets.items() if self._paying(v, b)]))
        basket = self.baskets[visitor]
        self.world.run(self.stores.forget(visitor, basket.seats))
        basket.seats.sort()
        self._mend_all()

    @precondition(lambda self: any(b.paying and not b.reserved for b in self.baskets.values()))
    @rule(data=st.data())
    def die_before_reserving(self, data: st.DataObject) -> None:
        """The process between begin and reserve is gone: the payment never gets its reservation, and ends (S15)."""
        visitor = data.draw(st.sampled_from([v for v, b in self.baskets.items() if b.paying and not b.reserved]))
        basket = self.baskets[visitor]
        self.world.run(self.stores.orphan(basket.seats))
        for seat in list(basket.seats):
            self._take(seat)
            self.board[seat] = AVAILABLE

    def _mend_all(self) -> None:
        self.world.run(self.world.runtime.reconcile.run(self.event))
        for seat, row in enumerate(self.rows):
            byte, holder = self.board[seat], self._holder(seat)
            match row:
                case "SOLD" | "BLOCKED":
                    if byte.name != row or holder is not None:
                        self._take(seat)
                        self.board[seat] = SeatState[row]
                case "PAYING":
                    made = next(r for r in self.reservations if r.status == "PAYING" and seat in r.seats)
                    assert holder == made.visitor
                    self.board[seat] = HELD
                    self.holds.discard(seat)
                case _ if (byte in (SOLD, BLOCKED)) or (byte == HELD) != (holder is not None):
                    self._take(seat)
                    self.board[seat] = AVAILABLE

    # What must be true after each step.

    @invariant()
    def the_stores_are_the_model(self) -> None:
        self.world.run(self._compare())

    async def _compare(self) -> None:
        redis, slug = self.world.runtime.redis, self.event.slug
        async with raw(self.world.runtime.database) as connection:
            rows = await connection.fetch(
                "SELECT status FROM seats WHERE event_id = $1 ORDER BY ordinal", self.event.id
            )
        assert [row["status"] for row in rows] == self.rows
        states = (await self.world.runtime.seats.board(self.event)).states
        assert [SeatState(byte) for byte in states] == self.board
        for row, byte in zip(self.rows, states, strict=True):
            assert row != "BLOCKED" or byte == BLOCKED
            assert row != "PAYING" or byte == HELD
        shares: Any = await redis.hgetall(keys.shares(slug))
        known = {name.decode(): text.decode() for name, text in shares.items()}
        for visitor in VISITORS:
            pairs = known.get(f"b|{visitor}", "").split(",")
            has = {int(seat): int(fence) for seat, fence in (pair.split(":") for pair in pairs if pair)}
            assert has == self.bought.get(visitor, {})
            assert int(known.get(f"x|{visitor}", 0)) == self.extended.get(visitor, 0)
        names = [keys.seat_state(slug, seat) for seat in range(SEATS)]
        values: list[Any] = await redis.mget(names)
        ttls = [await redis.pttl(name) for name in names]
        found: dict[Any, Any] = await redis.hgetall(keys.baskets(slug))
        baskets = {visitor.decode(): text.decode().split("|") for visitor, text in found.items()}
        named: set[int] = set()
        for visitor, basket in self.baskets.items():
            fence, till, extensions, mode, list_, *_ = baskets.pop(visitor)
            assert (int(fence), mode) == (basket.fence, "paying" if basket.paying else "held")
            assert sorted(map(int, list_.split(","))) == sorted(basket.seats)
            assert int(extensions) == basket.extensions or basket.reserved
            deadline = await redis.zscore(keys.basket_deadlines(slug), visitor)
            assert deadline == (None if basket.paying else int(till))
            assert (await redis.zscore(keys.active_paying(slug), visitor) is not None) == basket.paying
            for seat in basket.seats if basket.has_states else ():
                assert seat not in named, "in two baskets"
                named.add(seat)
                assert values[seat] == f"{visitor}|{fence}|{mode}".encode()
                most = PAYMENT_PROTECTION_MS if basket.paying else 6_000_000 + HOLD_KEPT_MS
                assert 0 < ttls[seat] <= most + _CLOCK_SET_MS
                if not basket.paying:
                    assert await redis.zscore(keys.holds(slug), seat) == int(till)
        assert {visitor: text[3] for visitor, text in baskets.items()} == dict.fromkeys(self.lapsed, "lapsed")
        assert [seat for seat, value in enumerate(values) if value is not None] == sorted(named)
        held: Any = await redis.zrange(keys.holds(slug), 0, -1)
        assert {int(seat) for seat in held} == self.holds
        assert await redis.zcard(keys.active_paying(slug)) == sum(b.paying for b in self.baskets.values())

    # The stores.

    def _call(self, call: Any, refusal: type[OnsaleError] | None) -> Any:
        if refusal is None:
            return self.world.run(call)
        with pytest.raises(refusal):
            self.world.run(call)
        return None


@pytest.mark.parametrize("examples", [20, pytest.param(400, marks=pytest.mark.chaos)])
def test_board_states_deadlines_baskets_and_rows_agree(
    world: World, monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    class Machine(Hall):
        pass

    monkeypatch.setattr(reconcile, "_SETTLING_SECONDS", 0.0)
    Machine.world = world
    world.check(Machine, examples=examples, steps=50)
