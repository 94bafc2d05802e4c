"""Which wish gets which seats (F10). Pure.

Wishes are asked in the order of joining. One that the seats there are can meet whole gets them, the others wait: a
group is never split, and a smaller wish is not kept waiting by a larger one before it. Seats side by side are taken
where there are enough of them, from the smallest gap that they fit into.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Returned:
    """A seat that was given back and is in no offer. `id` is of this return; `run`, `place`: seats of one run with
    places that follow each other are side by side. `by_name`: it is for wishes that name its category only.
    """

    id: int
    ordinal: int
    category: str
    run: int
    place: int
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A wish that waits: `seats` of `category` (None: of any). `address`: whose it is, for all of that buyer's wishes;
    `passed`: returns that it did not want.
    """

    id: UUID
    seats: int
    category: str | None
    address: str
    passed: frozenset[int] = frozenset()

    def takes(self, seat: Returned) -> bool:
        alike = self.category == seat.category or (self.category is None and not seat.by_name)
        return alike and seat.id not in self.passed


@dataclass(frozen=True, slots=True)
class Offered:
    wish: UUID
    seats: tuple[Returned, ...]


def offers(seats: Sequence[Returned], wishes: Sequence[Wanted], room: int | None = None) -> list[Offered]:
    """The offers to make now. `wishes` in the order of joining; one offer an address. `room`: seats that the phase may
    still sell, None: any number.
    """
    left = sorted(seats, key=lambda seat: (seat.run, seat.place))
    made: list[Offered] = []
    served: set[str] = set()
    for wish in wishes:
        if not left:
            break
        if wish.address in served or (room is not None and wish.seats > room):
            continue
        fitting = [seat for seat in left if wish.takes(seat)]
        if len(fitting) < wish.seats:
            continue
        chosen = _chosen(fitting, wish.seats)
        taken = {seat.id for seat in chosen}
        left = [seat for seat in left if seat.id not in taken]
        served.add(wish.address)
        if room is not None:
            room -= wish.seats
        made.append(Offered(wish.id, tuple(sorted(chosen, key=lambda seat: seat.ordinal))))
    return made


def _chosen(fitting: Sequence[Returned], count: int) -> Sequence[Returned]:
    """`count` of them: from the smallest stretch that is long enough, else from the longest ones."""
    stretches = _stretches(fitting)
    enough = [stretch for stretch in stretches if len(stretch) >= count]
    if enough:
        return min(enough, key=len)[:count]
    longest_first = sorted(stretches, key=len, reverse=True)
    return [seat for stretch in longest_first for seat in stretch][:count]


def _stretches(fitting: Sequence[Returned]) -> list[list[Returned]]:
    """Seats side by side, in their order."""
    found = [[fitting[0]]]
    for before, seat in pairwise(fitting):
        if seat.run == before.run and seat.place == before.place + 1:
            found[-1].append(seat)
        else:
            found.append([seat])
    return found
