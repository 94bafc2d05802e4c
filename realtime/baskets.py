"""What a visitor's tabs show as their basket, kept in step with Redis whoever changes it.

A basket changes by this process's channel, by another one's, by HTTP, or because its time is over. The channel that
asked has its answer; the visitor's other tabs learn of it from the seat feed (seats held or let go by the visitor) and
from the queue feed (a basket that lapsed). News is often faster than the answer, so it waits a moment; if the tabs do
not know it by then, the basket is looked up and told. When news was lost, all baskets are looked up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from core.process.supervisor import Service, Supervisor
from core.seats.basket import Basket
from core.waiting_room.place import PlaceState
from realtime import wire
from realtime.attendance import Attendance, Attendances
from realtime.look_ups import LookUps
from realtime.resync import PAUSES
from realtime.wire import ExpiredReason

#: A change to a basket that its own channel has answered by then is no news.
_ANSWER_SECONDS: Final = 0.1


class Baskets:
    """`basket(visitor)` gives the basket in Redis, or None. Only this class writes `Attendance.told_basket`."""

    def __init__(self, slug: str, attendances: Attendances, basket: Callable[[str], Awaitable[Basket | None]]) -> None:
        self._slug = slug
        self._attendances = attendances
        self._basket = basket
        self._look_ups = LookUps("baskets", self._look_up)
        #: What changed, until it is known whether the tabs know it: visitor -> ordinal -> state.
        self._unsure: dict[str, dict[int, int]] = {}
        self._lapsed: set[str] = set()

    @property
    def in_step(self) -> bool:
        return self._look_ups.none_left

    def start(self, supervisor: Supervisor) -> list[Service]:
        return [supervisor.run_forever(f"realtime.baskets {self._slug}", self._look_ups.run, backoff=PAUSES)]

    def told(self, attendance: Attendance, basket: Basket | None) -> bool:
        """The visitor's tabs are sent this basket. True when that is news."""
        news = not _is_told(attendance, basket)
        attendance.told_basket, attendance.told_until = _seats_of(basket), basket.until if basket else None
        return news

    def paying(self, visitor: str) -> None:
        """A payment began or ended: what the tabs know of the basket is void, and the page itself asks."""
        if attendance := self._attendances.get(visitor):
            attendance.told_basket = None

    def changed(self, visitor: str, changes: Sequence[tuple[int, int]]) -> None:
        """Seats were held or let go by the visitor: [(ordinal, state)]."""
        attendance = self._attendances.get(visitor)
        if attendance is None:
            return
        if (unsure := self._unsure.get(visitor)) is not None:
            unsure.update(changes)
        elif not attendance.knows(changes):
            self._unsure[visitor] = dict(changes)
            asyncio.get_running_loop().call_later(_ANSWER_SECONDS, self._look_up_if_untold, visitor)

    def unsure(self, visitor: str) -> None:
        """A command of the visitor's was not answered by Redis, or the basket was given time: it is looked up."""
        if self._attendances.get(visitor) is not None:
            self._look_ups.doubt(visitor)

    def resynced(self) -> None:
        """News of any visitor may have been lost: those who may hold seats are looked up."""
        for attendance in self._attendances:
            if attendance.state is PlaceState.ACTIVE:
                self._look_ups.doubt(attendance.visitor)

    def lapsed(self, visitor: str) -> None:
        """The time of the visitor's basket is over."""
        if self._attendances.get(visitor) is not None:
            self._lapsed.add(visitor)
            self._look_ups.doubt(visitor)

    def forget(self, visitor: str) -> None:
        """The visitor's last tab is closed."""
        self._look_ups.forget(visitor)
        self._lapsed.discard(visitor)

    def _look_up_if_untold(self, visitor: str) -> None:
        changes = self._unsure.pop(visitor)
        attendance = self._attendances.get(visitor)
        if attendance is not None and not attendance.knows(changes.items()):
            self._look_ups.doubt(visitor)

    async def _look_up(self, visitor: str) -> None:
        attendance = self._attendances.get(visitor)
        if attendance is None:
            return
        told: object = ()
        # Again when a channel was answered meanwhile: its answer may be the newer one.
        while told is not attendance.told_basket:
            told = attendance.told_basket
            basket = await self._basket(visitor)
        lapsed = visitor in self._lapsed
        self._lapsed.discard(visitor)
        if lapsed and basket is None:
            attendance.told_basket = None
            attendance.tell(wire.encode("expired", reason=ExpiredReason.HOLD))
        elif not (basket and basket.paying) and not _is_told(attendance, basket):
            self.told(attendance, basket)
            attendance.tell(wire.held(basket))
        # Else the tabs know: by the time that the news is here the visitor may hold other seats, or pay for these.


def _is_told(attendance: Attendance, basket: Basket | None) -> bool:
    seats = _seats_of(basket)
    if (attendance.told_basket or frozenset()) != seats:
        return False
    return basket is None or not seats or attendance.told_until == basket.until


def _seats_of(basket: Basket | None) -> frozenset[int]:
    return frozenset(basket.seats) if basket else frozenset()
