"""What one visitor of a rush does, step by step, and where it ended."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from typing import Any, Final

from cli.load.client import Failed, Refused
from cli.load.funnel import End, Outcome, paid_outcome
from cli.load.visitor import NothingLeft, NotLetIn, Visitor, new_key
from core.seats.board import SeatState

#: Guesses at a free seat before all free ones are listed.
_GUESSES: Final = 16
#: The least pause before a payment that is not available is tried again.
_UNAVAILABLE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """`tries`: refused holds before a visitor gives up. The others are seconds: in the queue, before a board without a
    free seat while some are only held (in the queue as well), and for the result of a payment."""

    tries: int
    queue: float
    linger: float
    payment: float


class _Stop(Exception):
    """The visitor is stopped here."""

    def __init__(self, outcome: Outcome, detail: str = "") -> None:
        super().__init__(outcome, detail)
        self.outcome = outcome
        self.detail = detail


async def journey(visitor: Visitor, patience: Timeouts) -> End:
    """Join, wait, pick, hold, pay, leave. Raises RateLimited; whatever else happens is an end."""
    end = End(Outcome.ERROR)
    try:
        await _journey(visitor, patience, end)
    except _Stop as stop:
        end.outcome, end.detail = stop.outcome, stop.detail
    except Refused as refused:
        end.outcome, end.detail = Outcome.ERROR, f"refused: {refused.code}"
    except Failed as failed:
        end.outcome, end.detail = Outcome.ERROR, str(failed)
    end.visitor, end.token = visitor.id, visitor.token
    return end


async def _journey(visitor: Visitor, patience: Timeouts, end: End) -> None:
    await visitor.arrive()
    try:
        await _enter(visitor, patience)
        await _hold(visitor, patience)
        reservation = await _reserve(visitor, patience)
        _note(end, reservation)
        reservation = await visitor.result(reservation, patience.payment)
        if reservation["status"] == "PAYING":
            # Out of patience. Seats that nobody pays for would stay with this order until its time is over.
            reservation = await visitor.give_back(reservation)
        _note(end, reservation)
        end.outcome = paid_outcome(end.status or "", end.reason)
        end.detail = end.reason or "" if end.outcome is Outcome.UNPAID else ""
    finally:
        # Whatever happened: a place that nobody uses keeps somebody else out. A fault here is counted, and no end.
        with contextlib.suppress(Refused, Failed):
            await visitor.leave()


async def _enter(visitor: Visitor, patience: Timeouts) -> None:
    try:
        await visitor.enter(patience.queue, patience.linger)
    except NothingLeft as nothing:
        raise _Stop(Outcome.TAKEN, str(nothing)) from None
    except NotLetIn:
        raise _Stop(Outcome.QUEUE, f"waited {patience.queue:.0f} s") from None
    except Refused as refused:
        raise _Stop(Outcome.QUEUE, refused.code) from None


async def _hold(visitor: Visitor, patience: Timeouts) -> None:
    """Picks free seats until one is held."""
    refused = 0
    until = time.monotonic() + patience.linger
    while refused < patience.tries:
        states = await visitor.board()
        seat = free_seat(states)
        if seat is None:
            stopped = Outcome.GUARD if refused else Outcome.TAKEN
            if SeatState.HELD not in states:
                raise _Stop(stopped)
            if time.monotonic() > until:
                raise _Stop(stopped, "held by others to the end")
            # A held seat may come free: a payment is declined, somebody lets go.
            await visitor.look_away()
            continue
        try:
            await visitor.hold([seat])
            return
        except Refused as no:
            if no.code == "not_active":
                raise _Stop(Outcome.SESSION) from None
            if no.code != "seat_taken":
                raise
            refused += 1
    raise _Stop(Outcome.GUARD, f"{patience.tries} tries")


async def _reserve(visitor: Visitor, patience: Timeouts) -> dict[str, Any]:
    key = new_key()
    until = time.monotonic() + patience.payment
    while True:
        try:
            return await visitor.reserve(key)
        except Refused as refused:
            if refused.code in ("hold_expired", "no_seats_held", "seat_taken"):
                raise _Stop(Outcome.CHECKOUT, refused.code) from None
            if refused.code != "payment_unavailable":
                raise
            if time.monotonic() > until:
                raise _Stop(Outcome.UNAVAILABLE) from None
            pause = max(_UNAVAILABLE_SECONDS, min(refused.retry_after, 10.0)) * random.uniform(1.0, 1.3)
        # "Your seats are kept, try again."
        await visitor.look_away()
        await asyncio.sleep(pause)


def free_seat(states: bytes) -> int | None:
    """A free seat by chance, as a crowd picks; None when there is none."""
    for _ in range(_GUESSES):
        guess = random.randrange(len(states))
        if states[guess] == SeatState.AVAILABLE:
            return guess
    free = [ordinal for ordinal, state in enumerate(states) if state == SeatState.AVAILABLE]
    return random.choice(free) if free else None


def _note(end: End, reservation: dict[str, Any]) -> None:
    end.reservation, end.status = reservation["id"], reservation["status"]
    end.reason = reservation.get("reason")
    end.seats, end.amount = tuple(reservation["seats"]), reservation["amount"]
