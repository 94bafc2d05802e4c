"""Everything that can be done to an event's seats in Redis, with the board put back when Redis has lost it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from core.errors import NoSuchSeat, SeatTaken
from core.seats.basket import Basket
from core.seats.best_seats import Wish
from core.seats.board import BoardSnapshot, SeatState
from core.seats.board_redis import BoardStore
from core.seats.guard import SeatGuard
from core.seats.halls import Halls
from core.seats.known_taken import KnownTaken
from core.seats.scripts_redis import SeatScripts
from core.venue.event import Event, Orphans

# How often a guard that is not atomic is asked for what was the best a moment ago.
_PICKS = 20


async def _no_phase(event: Event, visitor: str) -> int | None:
    return None


class Seats:
    """All calls raise StoreUnavailable when Redis (or, for a rebuild, PostgreSQL) is away: then nothing was changed.

    OutcomeUnknown, which is one, says that it may have been: Redis did not answer, nor when it was asked back (R5).
    """

    def __init__(
        self,
        *,
        scripts: SeatScripts,
        boards: BoardStore,
        guard: SeatGuard,
        halls: Halls,
        known: KnownTaken,
        fix_phase: Callable[[Event, str], Awaitable[int | None]] = _no_phase,
    ) -> None:
        """`fix_phase`: what is asked before a visitor holds seats; it says which part of the sale they are held in, by
        a refusal or by the seats of one buyer there (None: as everywhere).
        """
        self._fix_phase = fix_phase
        self.known = known
        self._scripts = scripts
        self._halls = halls
        self._boards = boards
        self._guard = guard

    async def board(self, event: Event) -> BoardSnapshot:
        return await self._boards.snapshot(event)

    async def hold(self, event: Event, visitor: str, ordinals: Sequence[int], *, call: str = "") -> Basket:
        """Adds seats to the basket, all or nothing; the deadline is that of the basket's first hold.

        `call`: letters that stand for the call (`calls.py`); the same call made again gets the first answer.
        Seats that are in the basket already are no error. Raises NotActive, SeatTaken, TooManySeats, NoSuchSeat,
        LeavesSingleSeat (where the event forbids it), PaymentInProgress, CoolDown, StoreUnavailable; in a sale of
        phases CodeRequired, SaleNotOpen.
        """
        wanted = list(dict.fromkeys(ordinals))
        unknown = [ordinal for ordinal in wanted if not 0 <= ordinal < event.seat_count]
        if unknown or not wanted:
            raise NoSuchSeat(seats=unknown)
        # In a sale of phases what the phase says comes first; a call made again gets its first answer.
        if not event.phases and not call and (refusal := self.known.refusal(event, visitor, wanted)):
            raise refusal
        event = await self._in_phase(event, visitor)
        runs = await self._halls.runs(event, wanted) if event.orphans is Orphans.FORBID else []
        return await self._boards.with_board(event, lambda: self._guard.hold(event, visitor, wanted, runs, call=call))

    async def best(self, event: Event, visitor: str, wish: Wish, *, call: str = "") -> Basket:
        """Adds the best seats together to the basket (F8). Raises NotTogether, InvalidRequest, else as `hold`."""
        with self.known.changing(event.slug, visitor):
            return await self._best(event, visitor, wish, call)

    async def _best(self, event: Event, visitor: str, wish: Wish, call: str) -> Basket:
        table = await self._halls.table(event)
        event = await self._in_phase(event, visitor)
        if self._guard.name == "atomic":
            return await self._boards.with_board(
                event, lambda: self._scripts.best(event, visitor, table, wish, call=call)
            )
        # The other guards check and set in steps of their own: who is quicker is known only after them.
        for _ in range(_PICKS):
            seats = await self._boards.with_board(
                event, lambda: self._scripts.pick(event, visitor, table, wish, call=call)
            )
            if isinstance(seats, Basket):
                return seats
            try:
                return await self._guard.hold(event, visitor, seats, call=call)
            except SeatTaken as error:
                taken = error
        raise taken

    async def _in_phase(self, event: Event, visitor: str) -> Event:
        """With the seats of one buyer in the part of the sale that this visitor buys in."""
        most = await self._fix_phase(event, visitor) if event.phases else None
        return event if most is None else replace(event, max_seats=min(most, event.max_seats))

    async def basket(self, event: Event, visitor: str) -> Basket | None:
        return await self._scripts.basket(event, visitor)

    async def release(self, event: Event, visitor: str, ordinals: Sequence[int] | None = None) -> Basket | None:
        """Lets seats go, or the whole basket; returns what is left. Seats of others are ignored."""
        with self.known.changing(event.slug, visitor):
            return await self._scripts.release(event, visitor, ordinals)

    async def extend(self, event: Event, visitor: str) -> Basket:
        """More time, once. Raises HoldNotExtendable, NoSeatsHeld, HoldExpired, PaymentInProgress."""
        return await self._scripts.extend(event, visitor)

    async def begin_payment(self, event: Event, visitor: str) -> Basket:
        """Held -> paying: seats outlive the hold and the visitor cannot be cut off, until `settle` or `abort_payment`.

        Raises NoSeatsHeld, HoldExpired, PaymentInProgress.
        """
        with self.known.changing(event.slug, visitor):
            return await self._boards.with_board(event, lambda: self._scripts.begin_payment(event, visitor))

    async def abort_payment(self, event: Event, visitor: str, fence: int, ordinals: Sequence[int] = ()) -> None:
        """The payment did not begin: held again for the time that is left, or free. Safe to repeat."""
        with self.known.changing(event.slug, visitor):
            await self._scripts.abort_payment(event, visitor, fence)

    async def settle(
        self,
        event: Event,
        visitor: str,
        fence: int,
        ordinals: Sequence[int],
        state: SeatState,
        *,
        unpaid: bool = False,
    ) -> None:
        """Paying -> SOLD or AVAILABLE, as PostgreSQL has decided. Safe to repeat; works after Redis lost everything.

        `unpaid`: the buyer let the payment go (F5). For seats that were SOLD and are cancelled use `reopen`: a late
        AVAILABLE never opens a sold seat.
        """
        with self.known.changing(event.slug, visitor):
            await self._boards.with_board(
                event, lambda: self._scripts.settle(event, visitor, fence, ordinals, state, unpaid=unpaid)
            )

    async def reopen(self, event: Event, ordinals: Sequence[int]) -> None:
        """SOLD -> AVAILABLE, after PostgreSQL has cancelled the reservation."""
        await self._boards.with_board(event, lambda: self._scripts.reopen(event, ordinals, SeatState.SOLD))

    async def block(self, event: Event, ordinals: Sequence[int], blocked: bool) -> list[int]:
        """Blocks available seats, or opens blocked ones. Returns the ordinals that changed in PostgreSQL.

        Seats that are held or about to be paid for at this moment leave those baskets at once (R11); seats of a
        reservation stay as they are. Raises StoreUnavailable: nothing has changed, as far as could be learnt.
        """
        return await (self._boards.block(event, ordinals) if blocked else self._boards.unblock(event, ordinals))

    async def statuses(self, event: Event, ordinals: Sequence[int]) -> dict[int, str]:
        """What PostgreSQL has of these seats, a `SeatStatus` each. Raises StoreUnavailable."""
        return await self._boards.statuses(event, ordinals)

    async def ensure_board(self, event: Event) -> None:
        """Rebuilds the board when Redis has none."""
        await self._boards.ensure(event)
