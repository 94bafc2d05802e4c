"""A sale in the middle of which Redis is lost, and what must be true of it when all is well again."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from functools import partial

from core.booking.reservation import Reservation, ReservationStatus
from core.errors import SeatTaken, StoreUnavailable
from core.runtime import Runtime
from core.seats.board import SeatState
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from core.waiting_room.place import PlaceState
from tests.booking import Bank, Desk, rows
from tests.waits import PATIENCE, until

PAID, HELD, SOLD = (0, 1), 2, 7


@dataclass
class Sale:
    """Seat 7 is sold, `buyer` pays for 0 and 1 (the provider has not answered), `holder` holds 2, `sitter` is in too;
    the others wait. Everybody has a ticket."""

    runtime: Runtime
    event: Event
    desk: Desk
    bank: Bank
    tickets: dict[str, str] = field(default_factory=dict)
    waiting: tuple[str, ...] = ("w1", "w2", "w3")
    holder: str = "holder"
    paying: Reservation | None = None

    async def begin(self) -> None:
        assert self.bank.gate is not None
        self.bank.gate.set()
        await self.desk.ended(await self.desk.buy(self.event, "first", SOLD))
        await self.runtime.waiting_room.leave(self.event, "first")
        self.bank.gate.clear()
        for visitor in ("buyer", self.holder, "sitter", *self.waiting):
            await self.join(visitor)
        await self.runtime.seats.hold(self.event, "buyer", PAID)
        await self.runtime.seats.hold(self.event, self.holder, [HELD])
        self.paying = await self.desk.pay(await self.desk.submit(self.event, "buyer"))

    async def join(self, visitor: str) -> PlaceState:
        """As a browser does, again and again until it is told."""
        room = self.runtime.waiting_room
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    place = await room.join(self.event, visitor, self.tickets.get(visitor))
                except StoreUnavailable:
                    await asyncio.sleep(0.1)
                    continue
                self.tickets.setdefault(visitor, room.ticket(self.event, visitor, place.number))
                return place.state

    async def _is_taken(self, visitor: str, seat: int) -> bool:
        """As a browser asks: again while it is refused as interrupted."""
        try:
            await self.runtime.seats.hold(self.event, visitor, [seat])
        except SeatTaken:
            return True
        except StoreUnavailable:
            return False
        raise AssertionError(f"seat {seat} was given away twice")

    async def is_well(self) -> None:
        """Everybody comes back, the last first; then all that must be true is."""
        runtime, event = self.runtime, self.event
        for visitor in reversed(list(self.tickets)):
            await self.join(visitor)
        places = {v: await runtime.waiting_room.place(event, v) for v in self.tickets}
        numbers = [place.number for v in self.waiting if (place := places[v]) and place.state is PlaceState.WAITING]
        assert numbers == sorted(numbers), "the queue has its order"
        assert sum(place.state is PlaceState.ACTIVE for place in places.values() if place) <= event.active_limit
        inside = next(v for v, place in places.items() if v != "buyer" and place and place.state is PlaceState.ACTIVE)
        for seat in (*PAID, SOLD):
            await until(partial(self._is_taken, inside, seat), f"seat {seat} is taken")
        assert self.bank.gate is not None
        assert self.paying is not None
        self.bank.gate.set()
        assert (await self.desk.over(self.paying)).status is ReservationStatus.CONFIRMED
        assert await self.desk.supervisor.drain(PATIENCE) == 0
        await runtime.reconcile.run(event)
        board = await runtime.seats.board(event)
        assert [board.states[seat] for seat in (*PAID, SOLD)] == [SeatState.SOLD] * 3
        assert board.version > 0 or board.epoch > 1
        assert not (await runtime.reconcile.run(event, dry_run=True)).found
        live = await rows(
            runtime, "SELECT ordinal FROM reservation_seats WHERE event_id = $1 AND live ORDER BY 1", event.id
        )
        assert [row["ordinal"] for row in live] == [*PAID, SOLD]
        assert [entry.charged for entry in self.bank.ledger.values()] == [1, 1]


def new_event() -> NewEvent:
    return NewEvent(
        slug=f"r-{secrets.token_hex(5)}",
        name="Faults",
        prices={"Standard": 1000},
        status=SaleStatus.OPEN,
        active_limit=3,
    )
