"""A sale of two parts, each with a pre-queue and its draw (F1), where places have a price (F4) and the second part
wants a code (F7): entries, places, silence, openings and holds in any order, against a plain model of them (rule 4).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import altcha
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core import keys
from core.embedded import Engines
from core.errors import CodeRequired, OnsaleError, ProofRequired, SaleNotOpen
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from core.venue.phase import Phase
from core.waiting_room.composition import price_of
from core.waiting_room.place import PlaceState
from core.waiting_room.price import Bidder
from core.waiting_room.proof_of_work import ProofOfWork
from tests.conftest import small_plan
from tests.integration.test_waiting_room_machine import LONG_AGO, VISITORS, visitors
from tests.machine_world import PATIENT, World, opened_world

#: Now and then: most stay, and have no code, so that the parts of the sale meet who is left from the one before.
few = st.sampled_from([False, False, False, True])
#: So small that eight visitors of two networks go through all of it.
PRICE = {"proof_free_places": 2, "proof_step_places": 2, "proof_doublings": 2, "proof_tries": 1}
NETWORKS = ["198.51.100.0/24", "203.0.113.0/24"]


@pytest.fixture(scope="module")
def priced_world(settings: Settings, stores: Engines) -> Iterator[World]:
    with opened_world(settings.model_copy(update=PATIENT | PRICE), stores) as opened:
        yield opened


@dataclass
class Kept:
    """What a visitor's browser has."""

    ticket: str = ""
    receipt: str = ""
    #: Of the sale, when it was given.
    stage: int = 0


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
    """`stage`: 0 people gather for the first part, 1 it is open, 2 they gather for the second one (and the first is
    `over`, or goes on), 3 that is open.
    """

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.kept: dict[str, Kept] = {visitor: Kept() for visitor in VISITORS}
        self.drawn: dict[str, int] = {}
        self.last = 0
        self.stage = 0
        self.over = False
        self.coded: set[str] = set()
        self.limit = 2
        runtime = self.world.runtime
        self.work = ProofOfWork(
            runtime.secret, price=price_of(runtime.settings), tries=1, seconds=600, clock=runtime.clock
        )
        self.began = datetime.now(UTC)
        self.event: Event = self.world.run(
            runtime.events.create(
                NewEvent(
                    slug=f"o-{secrets.token_hex(6)}",
                    name="Machine",
                    prices={"Standard": 1},
                    status=SaleStatus.SCHEDULED,
                    phases=self.phases(),
                    active_limit=self.limit,
                ),
                small_plan(4),
            )
        )
        (self.code,) = self.world.run(runtime.codes.make(self.event, "club", 1, 1_000))
        self.event = self.world.run(runtime.events.fresh(self.event.slug))

    def phases(self) -> tuple[Phase, ...]:
        """Such that it is this stage now."""
        now, later = datetime.now(UTC), self.began + timedelta(hours=1)
        ends = now - timedelta(seconds=1) if self.over else None
        opens = later if self.stage == 0 else self.began - timedelta(hours=1)
        first = Phase("first", opens, ends, 7200)
        gathers = 7200 if self.stage >= 2 else 1
        return first, Phase(
            "second", now if self.stage == 3 else later + timedelta(minutes=1), None, gathers, code_group="club"
        )

    @property
    def room(self) -> Any:
        return self.world.runtime.waiting_room

    @property
    def first_is_open(self) -> bool:
        return self.stage > 0 and not self.over

    def network(self, visitor: str) -> str:
        return NETWORKS[0] if VISITORS.index(visitor) < 6 else NETWORKS[1]

    def step(self, visitor: str) -> int:
        """Of a new place of this visitor's network; -1 is free."""
        places = sum(network == self.network(visitor) for network in self.model.counted.values())
        return price_of(self.world.runtime.settings).step(places)

    def admit(self) -> None:
        """Nobody is let in before the first opening, nor between the parts."""
        model = self.model
        while (self.first_is_open or self.stage == 3) and model.waiting and len(model.active) < self.limit:
            number, visitor = model.waiting.pop(0)
            model.active.add(visitor)
            model.spent[visitor] = number

    def proof(self, visitor: str, step: int) -> str:
        challenge = self.work.challenge(self.event.slug, visitor, self.network(visitor), step)
        made = altcha.Challenge.from_dict(challenge)
        solution = altcha.solve_challenge(made)
        assert solution is not None
        return altcha.Payload(made, solution).to_base64()

    @rule(visitor=visitors, with_ticket=st.booleans(), paid=st.integers(-1, 3), with_code=few)
    def join(self, visitor: str, with_ticket: bool, paid: int, with_code: bool) -> None:
        """`paid`: the step of the proof that is handed in, -1 none."""
        model, kept = self.model, self.kept[visitor]
        proof = self.proof(visitor, paid) if paid >= 0 else None
        ticket = kept.ticket if with_ticket and kept.ticket else None
        bidder, code = Bidder(self.network(visitor), proof), self.code if with_code else None
        asked = self.room.join(self.event, visitor, ticket, None, bidder, code=code)
        if self.stage >= 2:
            if with_code:
                self.coded.add(visitor)
            if self.over and visitor not in self.coded and not model.known(visitor):
                with pytest.raises(CodeRequired):
                    self.world.run(asked)
                return
        step = self.step(visitor)
        free = model.known(visitor) or visitor in model.counted or step < 0
        enough = free or (paid >= 0 and (paid + 1 >= step or paid >= PRICE["proof_doublings"]))
        if not enough:
            with pytest.raises(ProofRequired):
                self.world.run(asked)
            return
        place = self.world.run(asked)
        if not model.known(visitor):
            model.counted[visitor] = self.network(visitor)
            claimed = self.claimed(kept) if ticket else 0
            back = claimed > model.spent.get(visitor, 0)
            gathers = self.stage == 0 or (self.stage == 2 and (self.over or visitor in self.coded))
            if gathers and not back:
                assert place.entry is not None
                if ticket and kept.receipt and kept.stage == self.stage:
                    assert place.entry.receipt == kept.receipt, "the ticket brings the same entry back"
                model.entered[visitor] = place.entry.receipt
            else:
                if not back:
                    self.last += 1
                model.waiting.append((claimed if back else self.last, visitor))
                model.waiting.sort()
                self.admit()
        kept.ticket = self.room.ticket_of(self.event, visitor, place)
        kept.receipt = place.entry.receipt if place.entry else ""
        kept.stage = self.stage
        if place.entry is None:
            self.drawn[kept.ticket] = place.number
        assert (place.state is PlaceState.ENTERED) == (visitor in model.entered)
        assert (place.state is PlaceState.ACTIVE) == (visitor in model.active)

    def claimed(self, kept: Kept) -> int:
        """The number that a ticket stands for: its own, or the one that its receipt was given in the draw."""
        return self.drawn.get(kept.receipt or kept.ticket, 0)

    @precondition(lambda self: self.model.active)
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        """The hold fixes the part; who has no code for it waits in vain (F7)."""
        visitor = data.draw(st.sampled_from(sorted(self.model.active)))
        seats = self.world.runtime.seats
        asked = seats.hold(self.event, visitor, [0])
        refused: type[OnsaleError] | None = None
        if not self.first_is_open and not (self.stage == 3 and visitor in self.coded):
            refused = CodeRequired if self.stage == 3 else SaleNotOpen
        if refused is not None:
            with pytest.raises(refused):
                self.world.run(asked)
            return
        self.world.run(asked)
        part, _ = self.world.run(self.world.runtime.access.phase_of(self.event, visitor))
        assert part == ("second" if self.stage == 3 and visitor in self.coded else "first")
        self.world.run(seats.release(self.event, visitor))

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
            self.admit()

    @rule(quiet=st.sets(visitors, max_size=3), ended=st.sets(visitors, max_size=1), for_long=few)
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
        # Who was silent for longer than a place is kept comes back behind those who stayed (F6).
        model.spent |= {v: n for n, v in model.waiting if v in quiet}
        model.waiting = [(n, v) for n, v in model.waiting if v not in quiet]
        model.entered = {v: receipt for v, receipt in model.entered.items() if v not in quiet}
        self.admit()

    @precondition(lambda self: self.stage < 3 and any(kept.ticket for kept in self.kept.values()))
    @rule(over=st.sampled_from([True, True, False]))
    def time_passes(self, over: bool) -> None:
        """An opening, at which everybody who is there is drawn; or people begin to gather for the next one."""
        self.stage += 1
        if self.stage == 2:
            self.over = over
        model, runtime, slug = self.model, self.world.runtime, self.event.slug
        part = "first" if self.stage == 1 else "second"

        async def draw() -> list[str]:
            await runtime.events.update(slug, phases=self.phases())
            row = None
            for _ in range(200):
                await runtime.drawing.run()
                row = await runtime.draws.shown(await runtime.events.fresh(slug), part)
                if row is not None and (row.told or self.stage == 2):
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
        if self.stage != 2:
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


def test_entries_their_draws_phases_and_the_price_of_places(priced_world: World) -> None:
    class Machine(Opening):
        pass

    Machine.world = priced_world
    priced_world.check(Machine, examples=50, steps=35)
