"""Rule 4 under any interleaving of join, leave, silence, sweep, pause and limit changes, against a plain model. With a
pre-queue, draws, phases and prices: test_opening_machine.py; with returned seats: test_waiting_list_machine.py."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core import keys
from core.seats.board import SeatState
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from core.waiting_room.place import PlaceState
from tests.conftest import small_plan
from tests.machine_world import World

VISITORS = [f"v{i}" for i in range(8)]
visitors = st.sampled_from(VISITORS)
LONG_AGO = 1_000.0
SEATS = 2


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
        # Who was silent for longer than a place is kept comes back behind those who stayed (F6).
        self.spent |= {v: n for n, v in self.waiting if v in quiet}
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
