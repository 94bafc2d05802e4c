"""A crowd for demonstrations: unhurried visitors who come in waves, wait, look around, pick, let go, pay, or leave.

A newcomer always finds seats: the fuller the hall, the fewer buy and the more give their tickets back.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cli.load.channel import LiveChannel
from cli.load.client import Client, Failed, Refused, together
from cli.load.measures import Durations
from cli.load.neighbours import pick_together
from cli.load.visitor import HttpVisitor, NotLetIn, Sale, new_key
from cli.load.window import Ending
from core.process.tasks import cancelled
from core.seats.board import SeatState

#: The first wave, and how long a visitor stays away before coming again, in seconds.
_FIRST_WAVE: Final = 8.0
_AWAY: Final = (3.0, 45.0)
#: What a visitor takes time for, in seconds.
_LOOKS: Final = (1.5, 6.0)
_THINKS: Final = (4.0, 14.0)
_READS_TICKET: Final = (2.0, 5.0)
#: Seats of a party: nobody goes to a concert alone, if it can be helped.
_PARTIES: Final = (1, 2, 2, 2, 2, 3, 3, 4, 4)
#: Shares of visitors: those who change their mind about seats, and those who pay while the hall is empty.
_CHANGES_MIND: Final = 0.3
_PAYS: Final = 0.65
#: Windows that are approved for one that is closed, and one that is declined.
_APPROVES: Final = 8
#: Shares of sold seats. Beyond the first fewer buy and some give their tickets back; at the second nobody buys and
#: every visit ends with tickets given back.
_FILLING: Final = 0.5
_FULL: Final = 0.75
#: Buyers remembered, to give tickets back.
_BUYERS: Final = 500
#: A server that has not answered for this long has gone, and the crowd goes too.
_GONE_SECONDS: Final = 60.0
_PATIENCE: Final = 3600.0
_LEAVE_SECONDS: Final = 3.0


class _Hesitant(HttpVisitor):
    """Somebody who sometimes closes the window, or has a card that the bank declines there; and then tries again."""

    def ending(self) -> Ending:
        return random.choices(("approve", "close", "decline"), (_APPROVES, 1, 1))[0]


class ServerGone(Exception):
    """Nothing has answered for a minute."""


@dataclass(slots=True)
class Crowd:
    """`run` until cancelled. `rows`: ordinals beside each other; `watcher` keeps the board for all of them."""

    client: Client
    sale: Sale
    rows: Sequence[Sequence[int]]
    watcher: LiveChannel
    visitors: int
    _steps: Durations = field(default_factory=Durations)
    _buyers: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=_BUYERS))
    _answered_at: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        """Raises RateLimited, ServerGone."""
        async with together() as group:
            for _ in range(self.visitors):
                group.create_task(self._regular())

    async def _regular(self) -> None:
        """One of the crowd: comes, goes, and comes again as a new visitor."""
        await asyncio.sleep(random.uniform(0, _FIRST_WAVE))
        while not cancelled():
            try:
                await self._visit()
                self._answered_at = time.monotonic()
            except Refused:
                self._answered_at = time.monotonic()
            except NotLetIn:
                pass
            except Failed:
                if time.monotonic() - self._answered_at > _GONE_SECONDS:
                    raise ServerGone from None
            await asyncio.sleep(random.uniform(*_AWAY))

    async def _visit(self) -> None:
        visitor = _Hesitant(self.client, self.sale, self._steps, mail="crowd.example")
        await visitor.arrive()
        self._answered_at = time.monotonic()
        try:
            await visitor.enter(_PATIENCE, _PATIENCE)
            await self._look_around(visitor)
        finally:
            # Also when the crowd is sent home: the seats are free at once, and not only when the beats are missed.
            with contextlib.suppress(Refused, Failed, TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await visitor.leave()

    async def _look_around(self, visitor: HttpVisitor) -> None:
        await visitor.stay(random.uniform(*_LOOKS))
        if not await self._pick(visitor):
            return
        await visitor.stay(random.uniform(*_THINKS))
        if random.random() < _CHANGES_MIND:
            await visitor.release()
            await visitor.stay(random.uniform(*_LOOKS))
            if not await self._pick(visitor):
                return
            await visitor.stay(random.uniform(*_THINKS))
        if random.random() < _PAYS * (1 - self._fullness()):
            await self._pay(visitor)
        if random.random() < self._fullness():
            await self._give_one_back()

    async def _pick(self, visitor: HttpVisitor) -> bool:
        """Seats beside each other, or one anywhere; False when nothing could be had."""
        for _ in range(4):
            party = min(random.choice(_PARTIES), self.sale.max_seats)
            seats = pick_together(self.rows, self._states(), party) or pick_together(self.rows, self._states(), 1)
            if not seats:
                return False
            try:
                await visitor.hold(seats)
                return True
            except Refused as refused:
                if refused.code != "seat_taken":
                    raise
            await visitor.stay(random.uniform(0.5, 2.0))
        return False

    async def _pay(self, visitor: HttpVisitor) -> None:
        try:
            reservation = await visitor.result(await visitor.reserve(new_key()), 30.0)
        except Refused:
            return  # payment is away, or the time ran out: nobody to blame
        if reservation["status"] == "CONFIRMED":
            self._buyers.append((visitor.token, reservation["id"]))
            await visitor.stay(random.uniform(*_READS_TICKET))

    async def _give_one_back(self) -> None:
        """Somebody who bought before cannot come after all."""
        if self._buyers:
            token, id_ = self._buyers.popleft()
            pattern = "/api/reservations/{id}/cancel"
            with contextlib.suppress(Refused):
                await self.client.call("POST", pattern, f"/api/reservations/{id_}/cancel", token=token)

    def _states(self) -> bytes:
        board = self.watcher.board
        return bytes(board.states) if board is not None else bytes(self.sale.seats)

    def _fullness(self) -> float:
        """0 until half of the seats are sold, 1 when the hall is as full as it gets."""
        states = self._states()
        sold = states.count(SeatState.SOLD) / len(states)
        return min(1.0, max(0.0, (sold - _FILLING) / (_FULL - _FILLING)))
