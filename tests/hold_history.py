"""What buyers were told about one seat, and whether one seat can have given those answers (rule 1): linearizability.

A seat is a register that holds nobody or one visitor. Each call takes effect at one moment between its sending and its
answer; a call whose answer got lost takes effect at a moment after its sending, or never. A hold may end by itself, but
not before the time that its answer named. A refusal by a board that the server had from before says so: it is true of
a moment within `BOARD_SECONDS` before it was asked for, and of whose the seat was it knows nothing. The search is Wing
and Gong's, with Lowe's memory of states that were seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Told(Enum):
    """What the answer to a call said of the seat."""

    HELD = auto()
    TAKEN = auto()
    FREED = auto()
    LOST_HOLD = auto()
    LOST_RELEASE = auto()


@dataclass(frozen=True, slots=True)
class Call:
    """One call about one seat; times in seconds of one clock.

    `answered` is infinite where the answer got lost. `until`: for HELD, before which the hold does not end by itself
    (infinite for a seat that was bought in it); for a lost hold, its sending.
    """

    visitor: str
    told: Told
    sent: float
    answered: float
    until: float = math.inf


#: How far a refusal may look back that names the board it was made by; a busy machine is given time.
BOARD_SECONDS: Final = 3.0

#: The visitor of a refusal that does not know whose the seat is.
ANYBODY: Final = ""
#: Nobody knows who holds it: what was before the history begins.
UNKNOWN: Final = "?"
_LOST: Final = (Told.LOST_HOLD, Told.LOST_RELEASE)


def explained(calls: Sequence[Call], owner: str | None = None) -> bool:
    """Whether there is an order of these calls in which one seat would have answered so. `owner`: at the beginning."""
    order = sorted(calls, key=lambda call: call.sent)
    must = frozenset(number for number, call in enumerate(order) if call.told not in _LOST)
    start: tuple[frozenset[int], str | None, float] = (frozenset(), owner, -math.inf)
    seen = {start}
    open_ = [start]
    while open_:
        done, holder, until = open_.pop()
        left = must - done
        if not left:
            return True
        # A call may come next if none that is left had been answered before it was sent.
        latest = min(order[number].answered for number in left)
        # A refusal that fits now changes nothing: to leave it for later would not help.
        fits = {number for number in left if order[number].sent <= latest and _refused(order[number], holder)}
        if fits:
            state = (done | fits, holder, until)
            if state not in seen:
                seen.add(state)
                open_.append(state)
            continue
        for number, call in enumerate(order):
            if call.sent > latest:
                break
            if number in done:
                continue
            for after in _effects(call, holder, until, latest):
                state = (done | {number}, *after)
                if state not in seen:
                    seen.add(state)
                    open_.append(state)
    return False


def _refused(call: Call, holder: str | None) -> bool:
    return call.told is Told.TAKEN and holder is not None and holder != call.visitor


def _effects(call: Call, holder: str | None, until: float, latest: float) -> Iterable[tuple[str | None, float]]:
    """What the seat may be after the call, if it answers as it did; the hold may have ended by itself before."""
    may_be = [(holder, until)]
    if holder is not None and until < latest:
        may_be.append((None, -math.inf))
    for owner, end in may_be:
        mine = owner in (None, call.visitor, UNKNOWN)
        match call.told:
            case Told.HELD | Told.LOST_HOLD if mine:
                yield call.visitor, max(call.until, end) if owner == call.visitor else call.until
            case Told.TAKEN if _refused(call, owner):
                yield owner, end
            case Told.FREED | Told.LOST_RELEASE:
                if mine:
                    yield None, -math.inf
                if not mine or owner == UNKNOWN:  # of another's seat a release says nothing
                    yield owner, end
            case _:
                pass
