"""Where Redis and PostgreSQL disagree about a seat, and what Redis must say instead: the rules, without stores (S14).

PostgreSQL is right (S13), with one exception that is none: a hold lives in Redis only, so a seat that is AVAILABLE in
PostgreSQL may well be held in Redis.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from core.seats.board import STATE_OF_STATUS, SeatState

#: A payment that began this long ago and has no reservation will never have one: the statement's own limit is 15 s.
ORPHANED_PAYMENT_MS = 60_000


class Kind(StrEnum):
    """The stable names of what can be wrong."""

    SOLD_NOT_SHOWN = "sold_not_shown"
    BLOCKED_NOT_SHOWN = "blocked_not_shown"
    PAYING_NOT_SHOWN = "paying_not_shown"
    SHOWN_SOLD = "shown_sold"
    SHOWN_BLOCKED = "shown_blocked"
    HELD_BY_NOBODY = "held_by_nobody"
    HIDDEN_HOLD = "hidden_hold"
    HOLD_WITHOUT_TTL = "hold_without_ttl"
    PAYMENT_WITHOUT_RESERVATION = "payment_without_reservation"


@dataclass(frozen=True, slots=True)
class Row:
    """A seat in PostgreSQL. `payer` is the visitor whose reservation has the seat, when it is PAYING."""

    ordinal: int
    status: str
    fence: int
    payer: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """A seat in Redis: byte of the board, state ('' when absent), its TTL in ms (-2 absent, -1 none)."""

    byte: int
    state: str
    ttl_ms: int

    @property
    def paying(self) -> bool:
        return self.state.endswith("|paying")


@dataclass(frozen=True, slots=True)
class Mend:
    """What Redis is to say: byte and state ('' for none)."""

    byte: SeatState
    state: str = ""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One disagreement, with what both stores say and since when PostgreSQL says it."""

    ordinal: int
    kind: Kind
    redis: str
    database: str
    since: datetime
    mend: Mend


_NOT_SHOWN = {SeatState.SOLD: Kind.SOLD_NOT_SHOWN}


def mismatch_of(row: Row, seen: Seen, payment_protection_ms: int) -> Mismatch | None:
    """None when the two agree, or differ only as they may."""

    def wrong(kind: Kind, byte: SeatState, state: str = "") -> Mismatch:
        return Mismatch(row.ordinal, kind, _described(seen), row.status, row.updated_at, Mend(byte, state))

    match row.status:
        case "AVAILABLE":
            return _of_available(row, seen, payment_protection_ms, wrong)
        case "PAYING":
            paying = f"{row.payer}|{row.fence}|paying"
            if seen.byte != SeatState.HELD or seen.state != paying or seen.ttl_ms == -1:
                return wrong(Kind.PAYING_NOT_SHOWN, SeatState.HELD, paying)
        case _:
            # Nobody may have it, whatever it looks like: it would come back on sale with the end of that hold (R11).
            # A status of a later release is for nobody here, and no reason to leave the other seats unmended.
            shown = STATE_OF_STATUS.get(row.status, SeatState.BLOCKED)
            if seen.byte != shown or seen.state:
                return wrong(_NOT_SHOWN.get(shown, Kind.BLOCKED_NOT_SHOWN), shown)
    return None


class _Wrong(Protocol):
    def __call__(self, kind: Kind, byte: SeatState, state: str = "") -> Mismatch: ...


def _of_available(row: Row, seen: Seen, protection_ms: int, wrong: _Wrong) -> Mismatch | None:
    free = SeatState.AVAILABLE
    if seen.byte == SeatState.SOLD:
        return wrong(Kind.SHOWN_SOLD, free)
    if seen.byte == SeatState.BLOCKED:
        return wrong(Kind.SHOWN_BLOCKED, free)
    if seen.state and seen.ttl_ms == -1:
        return wrong(Kind.HOLD_WITHOUT_TTL, free)
    if seen.byte == SeatState.HELD and not seen.state:
        return wrong(Kind.HELD_BY_NOBODY, free)
    if seen.byte == SeatState.AVAILABLE and seen.state:
        return wrong(Kind.HIDDEN_HOLD, free)
    if seen.paying and protection_ms - seen.ttl_ms > ORPHANED_PAYMENT_MS:
        return wrong(Kind.PAYMENT_WITHOUT_RESERVATION, free)
    return None


def _described(seen: Seen) -> str:
    name = SeatState(seen.byte).name if 0 <= seen.byte <= max(SeatState) else "NO BOARD"
    if not seen.state:
        return name
    visitor, _, rest = seen.state.partition("|")
    ttl = "no TTL" if seen.ttl_ms == -1 else f"TTL {max(seen.ttl_ms, 0) / 1000:.0f} s"
    return f"{name}, {rest.rpartition('|')[2]} by {visitor}, {ttl}"
