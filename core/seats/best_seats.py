"""The best seats together (F8), as a plain rule: `lua/best.lua` does the same inside the hold; a test compares them.

Seats are together when they are side by side in one run (`core.venue.seat_runs`). Of all ways to place a group the best
is the one that leaves the fewest single seats; of those one that is whole groups away from an end of the free seats
around it, so that groups of one size fill a row to its end; of those the one nearest the focal point.

Where the event has seats for companions, a group that asks for a wheelchair place gets as few of those as it needs: one
for each that may have so many seats beside it. Then nobody else is given the companions' seats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from core.errors import InvalidRequest
from core.seats.board import SeatState
from core.venue.seat_plan import SeatPlan
from core.venue.seat_runs import Point, Run, distances, focal_point, runs_of

#: Groups of one wish, at most: each is a search of its own, and Redis does nothing else meanwhile.
MOST_GROUPS: Final = 8


@dataclass(frozen=True, slots=True)
class Wish:
    """`count` seats together, of a category and in a zone where they are named; wheelchair places where asked for.

    With companions: `count` of both. `groups`: in so many parts of nearly one size, each of them together.
    """

    count: int
    category: str | None = None
    zone: str | None = None
    accessible: bool = False
    groups: int = 1

    @property
    def sizes(self) -> list[int]:
        """Of the groups, the largest first."""
        least, larger = divmod(self.count, self.groups)
        return [least + 1] * larger + [least] * (self.groups - larger)


@dataclass(frozen=True, slots=True)
class Pick:
    """`seats`: ordinals side by side; `singles`: free seats that are left with no free neighbour; `cost`: how far.

    `ragged`: neither end is whole groups away. `spare`: wheelchair places beyond those that the group needs.
    """

    seats: tuple[int, ...]
    singles: int
    ragged: bool
    cost: int
    spare: int = 0

    @property
    def rank(self) -> tuple[int, int, bool, int]:
        """The lower, the better."""
        return self.spare, self.singles, self.ragged, self.cost


@dataclass(frozen=True, slots=True)
class Hall:
    """What a plan says about sitting together. `distance`, `category` and `run_of`, the run's index, by ordinal.

    `kinds`: how many categories have seats. `companions`: how many a wheelchair place may have beside it; `beside`: the
    ordinals of their seats.
    """

    runs: tuple[Run, ...]
    run_of: Sequence[int]
    distance: Sequence[int]
    category: Sequence[str]
    categories: tuple[str, ...]
    zones: tuple[str, ...]
    kinds: int
    accessible_categories: frozenset[str]
    companions: int
    beside: frozenset[int]


def hall_of(plan: SeatPlan, focus: Point | None, companions: int = 0) -> Hall:
    """`focus` and `companions`: the event's own."""
    others = {seat.category for seat in plan.seats if not seat.accessible}
    runs = runs_of(plan, companions)
    run_of = [0] * len(plan.seats)
    for number, run in enumerate(runs):
        for seat in run.seats:
            run_of[seat] = number
    return Hall(
        runs=runs,
        run_of=run_of,
        distance=distances(plan, focal_point(plan, focus)),
        category=[seat.category for seat in plan.seats],
        categories=tuple(category.name for category in plan.categories),
        zones=tuple(plan.zones),
        kinds=len({seat.category for seat in plan.seats}),
        accessible_categories=frozenset({seat.category for seat in plan.seats} - others),
        companions=companions,
        beside=frozenset(n for run in runs if run.accessible for n in run.seats if not plan.seats[n].accessible),
    )


def resolved(hall: Hall, wish: Wish) -> Wish:
    """A category that has wheelchair places only is asked for by its name. Raises InvalidRequest."""
    if wish.groups > wish.count:
        raise InvalidRequest(f"groups: {wish.count} people are {wish.count} groups at most")
    if wish.category is not None and wish.category not in hall.categories:
        raise InvalidRequest(f"category: there is no category {wish.category[:80]!r}")
    if wish.zone is not None and wish.zone not in hall.zones:
        raise InvalidRequest(f"zone: there is no zone {wish.zone[:80]!r}")
    accessible = wish.accessible or wish.category in hall.accessible_categories
    return replace(wish, accessible=accessible)


def pick(hall: Hall, states: bytes, wish: Wish) -> Pick | None:
    """The best seats for a resolved wish of one group; None where no so many are together. Of equals any is right."""
    return min(ways(hall, states, wish), key=lambda way: way.rank, default=None)


def largest(hall: Hall, states: bytes, wish: Wish) -> int:
    """The most seats together that meet the wish but for its count."""
    return max((_most(hall, run.seats[first:end]) for run, _, first, end in _eligible(hall, states, wish)), default=0)


def _most(hall: Hall, seats: Sequence[int]) -> int:
    """Of free seats side by side, how many can be had by one group."""
    companions = sum(seat in hall.beside for seat in seats)
    return min(len(seats), (len(seats) - companions) * (1 + hall.companions)) if companions else len(seats)


def alternatives(wish: Wish, largest: int, others: Sequence[str]) -> list[dict[str, Any]]:
    """Wishes that can be met instead, as a request's `best`: as many of another category, then fewer of the same kind.

    `others`: categories that have so many together.
    """
    rest: dict[str, Any] = {"zone": wish.zone} if wish.zone is not None else {}
    if wish.accessible:
        rest["accessible"] = True
    same = {"category": wish.category} if wish.category is not None else {}
    elsewhere = [{"count": wish.count, "category": category} | rest for category in others]
    return elsewhere + ([{"count": largest} | same | rest] if largest else [])


def ways(hall: Hall, states: bytes, wish: Wish) -> Iterator[Pick]:
    """Every way to meet a resolved wish."""
    count = wish.count
    # Wheelchair places that the group needs, where it may have others beside them.
    needed = -(-count // (1 + hall.companions)) if hall.companions and wish.accessible else 0
    for run, free, first, end in _eligible(hall, states, wish):
        for at in range(first, end - count + 1):
            seats = run.seats[at : at + count]
            spare = sum(seat not in hall.beside for seat in seats) - needed if needed else 0
            if spare < 0:
                continue
            singles = (at - free[0] == 1) + (free[1] - at - count == 1)
            ragged = bool((at - first) % count and (end - at - count) % count)
            yield Pick(seats, singles, ragged, sum(hall.distance[seat] for seat in seats), spare)


def _eligible(hall: Hall, states: bytes, wish: Wish) -> Iterator[tuple[Run, tuple[int, int], int, int]]:
    """(run, free seats around, first, end) of each stretch of free seats that meets the wish, by index in the run."""
    for run in hall.runs:
        if run.accessible != wish.accessible or wish.zone not in (None, run.zone):
            continue
        for free in _stretches([states[seat] == SeatState.AVAILABLE for seat in run.seats]):
            fits = [wish.category in (None, hall.category[seat]) for seat in run.seats[slice(*free)]]
            for first, end in _stretches(fits):
                yield run, free, free[0] + first, free[0] + end


def _stretches(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """[first, end) of each longest stretch of true ones."""
    at = 0
    for flag, same in groupby(flags):
        length = len(list(same))
        if flag:
            yield at, at + length
        at += length
