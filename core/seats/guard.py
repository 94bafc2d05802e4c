"""Who may hold a seat: three guards behind one interface (S4), chosen by `ONSALE_SEAT_GUARD`.

Whatever the guard, PostgreSQL judges again at checkout (rule 1): a guard keeps the crowd away, it is not the truth.

atomic      check and set are one Lua script. The default: one round trip, no waiting, no retry.
lock        a seat lock for each seat (S1), then check, then set: what the source's system did, kept for comparison.
optimistic  the seats' version column in PostgreSQL: read, check, compare-and-set; losers retry. Kept for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.seats.basket import Basket
from core.venue.event import Event


class SeatGuard(Protocol):
    """Grants holds, all or nothing."""

    name: str

    async def hold(
        self,
        event: Event,
        visitor: str,
        ordinals: Sequence[int],
        runs: Sequence[Sequence[int]] = (),
        *,
        call: str = "",
    ) -> Basket:
        """Adds `ordinals` (no duplicates, none negative) to the visitor's basket and returns the whole basket.

        `runs`: where no single seat may be left over, the runs that these seats are in; `call`: letters that stand for
        the call (`calls.py`). Raises NotActive, SeatTaken, TooManySeats, NoSuchSeat, LeavesSingleSeat,
        PaymentInProgress, StoreUnavailable; each leaves everything as it was, but OutcomeUnknown.
        """
        ...
