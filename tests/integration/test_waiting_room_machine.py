"""Rule 4 under any interleaving of join, leave, silence, sweep, pause and limit changes, against a plain model; and the
same with a pre-queue and its draw (F1), where places have a price (F4)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import altcha
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core import keys
from core.embedded import Engines
from core.errors import ProofRequired
from core.seats.board import SeatState
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from core.waiting_room.composition import price_of
from core.waiting_room.place import PlaceState
from core.waiting_room.price import Bidder
from core.waiting_room.proof_of_work import ProofOfWork
from tests.conftest import small_plan
from tests.machine_world import World, opened_world

VISITORS = [f"v{i}" for i in range(8)]
visitors = st.sampled_from(VISITORS)
LONG_AGO = 1_000.0
SEATS = 2


@pytest.fixture(scope="module")
def world(settings: Settings, stores: Engines) -> Iterator[World]:
    with opened_world(settings, stores) as opened:
        yield opened


class Queue(RuleBasedStateMachine):
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.limit = 2
        self.waiting: list[tuple[int, str]] = []
        self.active: set[str] = set()
        self.numbers: dict[str, int] = {}
        self.spent: dict[str, int] = {}
        self.last = 0
        #: Seats that are neither free nor in a basket.
        self.gone: set[int] = set()
        self.event: Event = self.world.run(
            self.world.runtime.events.create(
                NewEvent(
                    slug=f"m-{secrets.token_hex(6)}",
                    name="Machine",
                    prices={"Standard": 1},
                    status=SaleStatus.OPEN,
                    active_limit=2,
                ),
                small_plan(SEATS),
            )
        )
        self.world.run(self.world.runtime.seats.ensure_board(self.event))

    @property
    def room(self) -> Any:
        return self.world.runtime.waiting_room

    def admit(self) -> None:
        """Nobody is let in where no seat is left (V3)."""
        while len(self.gone) < SEATS and self.waiting and len(self.active) < self.limit:
            number, visitor = self.waiting.pop(0)
            self.active.add(visitor)
            self.spent[visitor] = number

    @rule(visitor=visitors, with_ticket=st.booleans())
    def join(self, visitor: str, with_ticket: bool) -> None:
        number = self.numbers.get(visitor)
        ticket = self.room.ticket(self.event, visitor, number) if with_ticket and number else None
        place = self.world.run(self.room.join(self.event, visitor, ticket))
        if visitor not in self.active and visitor not in {v for _, v in self.waiting}:
            if ticket and number and number > self.spent.get(visitor, 0):
                self.waiting.append((number, visitor))
            else:
                self.last += 1
                self.waiting.append((self.last, visitor))
            self.waiting.sort()
            self.admit()
        self.numbers[visitor] = place.number
        assert (place.state is PlaceState.ACTIVE) == (visitor in self.active)

    @rule(visitor=visitors)
    def leave(self, visitor: str) -> None:
        self.world.run(self.room.leave(self.event, visitor))
        for number, waiting in self.waiting:
            if waiting == visitor:
                self.spent[visitor] = number
        self.out(visitor)

    def out(self, visitor: str) -> None:
        known = visitor in self.active or visitor in {v for _, v in self.waiting}
        self.active.discard(visitor)
        self.waiting = [(n, v) for n, v in self.waiting if v != visitor]
        if known:
            self.admit()

    @rule(quiet=st.sets(visitors), ended=st.sets(visitors))
    def sweep(self, quiet: set[str], ended: set[str]) -> None:
        """Some fell silent and some sessions ended since the last sweep: their clocks are set back in Redis."""

        async def age() -> None:
            redis, slug = self.world.runtime.redis, self.event.slug
            for visitor in quiet:
                await redis.zadd(keys.waiting_beats(slug), {visitor: LONG_AGO}, xx=True)
                await redis.zadd(keys.active_users(slug), {visitor: LONG_AGO}, xx=True)
            for visitor in ended:
                await redis.zadd(keys.active_until(slug), {visitor: LONG_AGO}, xx=True)

        self.world.run(age())
        self.world.run(self.room.sweep(self.event))
        self.active -= quiet | ended
        self.waiting = [(n, v) for n, v in self.waiting if v not in quiet]
        self.admit()

    @rule(seat=st.integers(0, SEATS - 1), state=st.sampled_from([*SeatState, SeatState.SOLD]))
    def seat_changes(self, seat: int, state: SeatState) -> None:
        """Held, sold or free again, by whichever script: what the board says decides, at the next step."""

        async def put() -> None:
            await self.world.runtime.redis.setrange(keys.board(self.event.slug), seat, bytes([state]))

        self.world.run(put())
        if state in (SeatState.AVAILABLE, SeatState.HELD):
            self.gone.discard(seat)
        else:
            self.gone.add(seat)

    @rule(limit=st.integers(1, 4))
    def change_limit(self, limit: int) -> None:
        self.limit = limit
        self.event = replace(self.event, active_limit=limit)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        _, visitor = data.draw(st.sampled_from(self.waiting))
        place = self.world.run(self.room.place(self.event, visitor))
        assert place.ahead == [v for _, v in self.waiting].index(visitor)

    @rule(beating=st.sets(visitors, min_size=1))
    def beat(self, beating: set[str]) -> None:
        missing = self.world.run(self.room.beat(self.event, sorted(beating)))
        assert set(missing) == beating - self.active - {v for _, v in self.waiting}

    @invariant()
    def redis_is_the_model(self) -> None:
        async def read() -> tuple[list[str], set[str]]:
            redis, slug = self.world.runtime.redis, self.event.slug
            queue: Any = await redis.zrange(keys.waiting_queue(slug), 0, -1)
            active: Any = await redis.zrange(keys.active_users(slug), 0, -1)
            return [v.decode() for v in queue], {v.decode() for v in active}

        queue, active = self.world.run(read())
        assert queue == [v for _, v in self.waiting]
        assert active == self.active


def test_the_queue_keeps_order_and_limit(world: World) -> None:
    class Machine(Queue):
        pass

    Machine.world = world
    world.check(Machine, examples=40, steps=25)


#: So small that eight visitors of two networks go through all of it.
PRICE = {"proof_free_places": 2, "proof_step_places": 2, "proof_doublings": 2, "proof_tries": 1}
NETWORKS = ["198.51.100.0/24", "203.0.113.0/24"]


@pytest.fixture(scope="module")
def priced_world(settings: Settings, stores: Engines) -> Iterator[World]:
    with opened_world(settings.model_copy(update=PRICE), stores) as opened:
        yield opened


@dataclass
class Kept:
    """What a visitor's browser has."""

    ticket: str = ""
    receipt: str = ""


@dataclass
class Model:
    """What should be so."""

    entered: dict[str, str] = field(default_factory=dict)
    waiting: list[tuple[int, str]] = field(default_factory=list)
    active: set[str] = field(default_factory=set)
    spent: dict[str, int] = field(default_factory=dict)
    #: visitor -> network of who counts there, also while silent.
    counted: dict[str, str] = field(default_factory=dict)

    def known(self, visitor: str) -> bool:
        return visitor in self.entered or visitor in self.active or visitor in {v for _, v in self.waiting}


class Opening(RuleBasedStateMachine):
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.kept: dict[str, Kept] = {visitor: Kept() for visitor in VISITORS}
        self.drawn: dict[str, int] = {}
        self.last = 0
        self.opened = False
        self.limit = 2
        runtime = self.world.runtime
        self.work = ProofOfWork(
            runtime.secret, price=price_of(runtime.settings), tries=1, seconds=600, clock=runtime.clock
        )
        self.event: Event = self.world.run(
            runtime.events.create(
                NewEvent(
                    slug=f"o-{secrets.token_hex(6)}",
                    name="Machine",
                    prices={"Standard": 1},
                    status=SaleStatus.SCHEDULED,
                    opens_at=datetime.now(UTC) + timedelta(hours=1),
                    prequeue_seconds=7200,
                    active_limit=self.limit,
                ),
                small_plan(4),
            )
        )

    @property
    def room(self) -> Any:
        return self.world.runtime.waiting_room

    def network(self, visitor: str) -> str:
        return NETWORKS[0] if VISITORS.index(visitor) < 6 else NETWORKS[1]

    def step(self, visitor: str) -> int:
        """Of a new place of this visitor's network; -1 is free."""
        places = sum(network == self.network(visitor) for network in self.model.counted.values())
        return price_of(self.world.runtime.settings).step(places)

    def admit(self) -> None:
        model = self.model
        while model.waiting and len(model.active) < self.limit:
            number, visitor = model.waiting.pop(0)
            model.active.add(visitor)
            model.spent[visitor] = number

    @rule(visitor=visitors, with_ticket=st.booleans(), paid=st.integers(-1, 3))
    def join(self, visitor: str, with_ticket: bool, paid: int) -> None:
        """`paid`: the step of the proof that is handed in, -1 none."""
        model, kept = self.model, self.kept[visitor]
        proof = None
        if paid >= 0:
            challenge = self.work.challenge(self.event.slug, visitor, self.network(visitor), paid)
            made = altcha.Challenge.from_dict(challenge)
            solution = altcha.solve_challenge(made)
            assert solution is not None
            proof = altcha.Payload(made, solution).to_base64()
        step = self.step(visitor)
        free = model.known(visitor) or visitor in model.counted or step < 0
        enough = free or (paid >= 0 and (paid + 1 >= step or paid >= PRICE["proof_doublings"]))
        ticket = kept.ticket if with_ticket and kept.ticket else None
        asked = self.room.join(self.event, visitor, ticket, None, Bidder(self.network(visitor), proof))
        if not enough:
            with pytest.raises(ProofRequired):
                self.world.run(asked)
            return
        place = self.world.run(asked)
        if not model.known(visitor):
            model.counted[visitor] = self.network(visitor)
            if not self.opened:
                assert place.entry is not None
                if ticket and kept.receipt:
                    assert place.entry.receipt == kept.receipt, "the ticket brings the same entry back"
                model.entered[visitor] = place.entry.receipt
            else:
                claimed = self.claimed(kept) if ticket else 0
                if claimed > model.spent.get(visitor, 0):
                    number = claimed
                else:
                    self.last += 1
                    number = self.last
                model.waiting.append((number, visitor))
                model.waiting.sort()
                self.admit()
        kept.ticket = self.room.ticket_of(self.event, visitor, place)
        kept.receipt = place.entry.receipt if place.entry else kept.receipt
        if place.entry is None:
            kept.receipt = ""
            self.drawn[kept.ticket] = place.number
        assert (place.state is PlaceState.ENTERED) == (visitor in model.entered)
        assert (place.state is PlaceState.ACTIVE) == (visitor in model.active)

    def claimed(self, kept: Kept) -> int:
        """The number that a ticket stands for: its own, or the one that its receipt was given in the draw."""
        return self.drawn.get(kept.receipt or kept.ticket, 0)

    @rule(visitor=visitors)
    def leave(self, visitor: str) -> None:
        model = self.model
        known = model.known(visitor)
        self.world.run(self.room.leave(self.event, visitor))
        for number, waiting in model.waiting:
            if waiting == visitor:
                model.spent[visitor] = number
        model.entered.pop(visitor, None)
        model.active.discard(visitor)
        model.waiting = [(n, v) for n, v in model.waiting if v != visitor]
        if known:
            del model.counted[visitor]
            if self.opened:
                self.admit()

    @rule(quiet=st.sets(visitors), ended=st.sets(visitors), for_long=st.booleans())
    def sweep(self, quiet: set[str], ended: set[str], for_long: bool) -> None:
        """`for_long`: who had gone silent before has been so for more than ten minutes."""
        model = self.model

        async def age() -> None:
            redis, slug = self.world.runtime.redis, self.event.slug
            for key in (keys.waiting_beats(slug), keys.active_users(slug), keys.entry_beats(slug)):
                await redis.zadd(key, dict.fromkeys(quiet, LONG_AGO) or {"-": LONG_AGO}, xx=True)
            await redis.zadd(keys.active_until(slug), dict.fromkeys(ended, LONG_AGO) or {"-": LONG_AGO}, xx=True)
            if for_long:
                await redis.zadd(keys.absent_places(slug), dict.fromkeys(VISITORS, LONG_AGO), xx=True)

        self.world.run(age())
        self.world.run(self.room.sweep(self.event))
        over = model.active & (quiet | ended)
        absent = {visitor for visitor in model.counted if not model.known(visitor)} if for_long else set()
        for visitor in over | absent:
            del model.counted[visitor]
        model.active -= over
        model.waiting = [(n, v) for n, v in model.waiting if v not in quiet]
        model.entered = {v: receipt for v, receipt in model.entered.items() if v not in quiet}
        if self.opened:
            self.admit()

    @precondition(lambda self: not self.opened and any(kept.ticket for kept in self.kept.values()))
    @rule()
    def open(self) -> None:
        """The opening: everybody who is there is drawn."""
        model, runtime, slug = self.model, self.world.runtime, self.event.slug

        async def draw() -> list[str]:
            await runtime.events.update(slug, opens_at=datetime.now(UTC))
            row = None
            for _ in range(200):
                await runtime.drawing.run()
                row = await runtime.draws.shown(await runtime.events.fresh(slug))
                if row is not None and row.told:
                    return list(await runtime.draws.receipts(row.id))
            raise AssertionError(f"not drawn: {row}")

        order = self.world.run(draw())
        self.event = self.world.run(runtime.events.fresh(slug))
        assert sorted(order) == sorted(model.entered.values())
        visitor_of = {receipt: visitor for visitor, receipt in model.entered.items()}
        base = self.last
        for place, receipt in enumerate(order, 1):
            self.drawn[receipt] = base + place
            model.waiting.append((base + place, visitor_of[receipt]))
        self.last = base + len(order)
        model.entered = {}
        self.opened = True
        self.admit()

    @invariant()
    def redis_is_the_model(self) -> None:
        async def read() -> tuple[list[str], set[str], set[str], dict[str, int]]:
            redis, slug = self.world.runtime.redis, self.event.slug
            queue: Any = await redis.zrange(keys.waiting_queue(slug), 0, -1)
            active: Any = await redis.zrange(keys.active_users(slug), 0, -1)
            entered: Any = await redis.hkeys(keys.entries(slug))
            networks: Any = await redis.zrange(keys.networks(slug), 0, -1, withscores=True)
            return (
                [v.decode() for v in queue],
                {v.decode() for v in active},
                {v.decode() for v in entered},
                {network.decode(): int(places) for network, places in networks},
            )

        model = self.model
        queue, active, entered, networks = self.world.run(read())
        assert queue == [v for _, v in model.waiting]
        assert active == model.active
        assert entered == set(model.entered)
        counted = list(model.counted.values())
        assert networks == {network: counted.count(network) for network in set(counted)}


def test_entries_their_draw_and_the_price_of_places(priced_world: World) -> None:
    class Machine(Opening):
        pass

    Machine.world = priced_world
    priced_world.check(Machine, examples=40, steps=30)
