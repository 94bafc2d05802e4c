"""Which seats of a plan are side by side, and how far each is from what everybody looks at (F8).

A run is the longest sequence of seats of one row with no aisle between two of them. Seats are walked along the row's
own line: the file may list them in any order. Wheelchair places have runs of their own: they are sold by themselves, or
with the companions' seats beside them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby, pairwise
from statistics import median_low

from core.venue.plan_geometry import outline
from core.venue.seat_plan import Area, Seat, SeatPlan

Point = tuple[float, float]

#: Of the usual distance between two seats of a row: more is an aisle.
_AISLE = 1.6
#: A row's own distance counts up to this much more than the plan's: a row of two seats beside an aisle has no other.
_ROOMY = 1.25
#: Distances are whole numbers up to this, so that they take two bytes, and that every language adds them alike.
FARTHEST = 60_000
#: Longer rows are walked by their main direction only; runs are cut, so that each has a bounded cost.
_WALKED, _LONGEST = 500, 1_000

#: What a plan's author writes on the place that everybody looks at.
_FOCUS = re.compile(
    r"\b(?:main stage|stage|field|court|pitch|rink|arena floor|bühne|buehne|spielfeld|podium|scène|escenario|palco|"
    r"palcoscenico|scena)\b|무대|스테이지|경기장|필드|코트|그라운드|링크|舞台|ステージ|グラウンド|球场",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Run:
    """Ordinals side by side, in the order of the line; at least one."""

    seats: tuple[int, ...]
    zone: str
    accessible: bool


def runs_of(plan: SeatPlan, companions: int = 0) -> tuple[Run, ...]:
    """Every seat is in exactly one run. In the order of the file's rows.

    `companions`: so many seats beside each wheelchair place belong to it. They are in its run, on both sides as far as
    the row has them; no run has two groups of wheelchair places.
    """
    numbered = [*enumerate(plan.seats)]
    rows = [_walked([*row], plan.seats) for _, row in groupby(numbered, key=lambda seat: (seat[1].line, seat[1].zone))]
    steps = [[_far(plan.seats[a], plan.seats[b]) for a, b in pairwise(row)] for row in rows]
    every = [step for row in steps for step in row]
    usual = median_low(every) if every else 0.0
    found: list[Run] = []
    for row, own in zip(rows, steps, strict=True):
        widest = _AISLE * min(median_low(own), _ROOMY * usual) if own else 0.0
        part = [row[0]]
        for seat, step in zip(row[1:], own, strict=True):
            if step > widest:
                found += _sold_together(plan, part, companions)
                part = []
            part.append(seat)
        found += _sold_together(plan, part, companions)
    return tuple(found)


def focal_point(plan: SeatPlan, focus: Point | None = None) -> Point:
    """The event's own `focus`; else the place that says so; else the middle of the front row (the uppermost).

    `focus` is in the file's units, whose drawing may have been moved; the answer is in those of `plan`.
    """
    if focus is not None:
        return focus[0] + plan.moved[0], focus[1] + plan.moved[1]
    named = [area for area in plan.areas if _FOCUS.search(area.text)]
    if named:
        # "STAGE" before "Stage door": what says nothing else.
        return _middle(min(named, key=lambda area: len(area.text.strip())))
    rows: dict[int, list[Seat]] = {}
    for seat in plan.seats:
        rows.setdefault(seat.line, []).append(seat)
    heights = {line: sum(seat.y for seat in seats) / len(seats) for line, seats in rows.items()}
    front = min(heights.values())
    first = [s for line, seats in rows.items() for s in seats if heights[line] <= front + s.radius]
    xs = [seat.x for seat in first]
    return (min(xs) + max(xs)) / 2, front


def distances(plan: SeatPlan, focus: Point) -> list[int]:
    """Of each seat by ordinal, 0 to `FARTHEST`, in whatever unit fits."""
    far = [math.hypot(seat.x - focus[0], seat.y - focus[1]) for seat in plan.seats]
    scale = FARTHEST / max(1.0, *far)
    return [round(distance * scale) for distance in far]


def _sold_together(plan: SeatPlan, part: Sequence[int], companions: int) -> Iterator[Run]:
    """The runs of seats that no aisle divides: wheelchair places with their companions' seats, and what is between."""
    zone = plan.seats[part[0]].zone
    accessible = [plan.seats[seat].accessible for seat in part]
    groups = [
        [*group] for is_accessible, group in groupby(range(len(part)), key=accessible.__getitem__) if is_accessible
    ]
    ends = [0]
    for number, group in enumerate(groups):
        before, after = group[0], group[-1] + 1
        following = groups[number + 1][0] if number + 1 < len(groups) else len(part)
        for _ in range(companions * len(group)):
            # After it and before it by turns.
            if after < following and (after - group[-1] <= group[0] - before + 1 or before == ends[-1]):
                after += 1
            elif before > ends[-1]:
                before -= 1
        ends += [before, after]
    ends.append(len(part))
    for begin, end in pairwise(ends):
        for cut in range(begin, end, _LONGEST):
            seats = tuple(part[cut : min(cut + _LONGEST, end)])
            yield Run(seats, zone, any(accessible[cut : cut + len(seats)]))


def _far(a: Seat, b: Seat) -> float:
    return math.hypot(a.x - b.x, a.y - b.y)


def _walked(row: Sequence[tuple[int, Seat]], seats: Sequence[Seat]) -> list[int]:
    """The row's ordinals along its line: the file's order where it does not jump, else from neighbour to neighbour."""
    listed = [ordinal for ordinal, _ in row]
    if len(listed) < 3:
        return listed
    steps = [_far(seats[a], seats[b]) for a, b in pairwise(listed)]
    if max(steps) <= _AISLE * min(steps) and not _turns_back(listed, seats):
        return listed
    walk = _along_main_direction if len(listed) > _WALKED else _from_neighbour_to_neighbour
    walked = walk(listed, seats)
    shorter = sum(_far(seats[a], seats[b]) for a, b in pairwise(walked))
    return listed if sum(steps) <= shorter * 1.001 else walked


def _turns_back(listed: Sequence[int], seats: Sequence[Seat]) -> bool:
    """Whether a step leads back to where the row came from: the odd ones of six seats first are no farther apart."""
    steps = [(seats[b].x - seats[a].x, seats[b].y - seats[a].y) for a, b in pairwise(listed)]
    return any(x * next_x + y * next_y < 0 for (x, y), (next_x, next_y) in pairwise(steps))


def _along_main_direction(listed: Sequence[int], seats: Sequence[Seat]) -> list[int]:
    x = sum(seats[n].x for n in listed) / len(listed)
    y = sum(seats[n].y for n in listed) / len(listed)
    xx = sum((seats[n].x - x) ** 2 for n in listed)
    yy = sum((seats[n].y - y) ** 2 for n in listed)
    xy = sum((seats[n].x - x) * (seats[n].y - y) for n in listed)
    angle = math.atan2(2 * xy, xx - yy) / 2
    return sorted(listed, key=lambda n: ((seats[n].x - x) * math.cos(angle) + (seats[n].y - y) * math.sin(angle), n))


def _from_neighbour_to_neighbour(listed: Sequence[int], seats: Sequence[Seat]) -> list[int]:
    """The way of a curved row, whose ends need not be far from each other: the nearest are joined first, two at most to
    each, until all are one way.
    """
    joined: dict[int, list[int]] = {n: [] for n in listed}
    part = {n: n for n in listed}

    def root(n: int) -> int:
        while part[n] != n:
            part[n] = part[part[n]]
            n = part[n]
        return n

    for a, b in sorted(combinations(listed, 2), key=lambda pair: (_far(seats[pair[0]], seats[pair[1]]), pair)):
        if len(joined[a]) < 2 and len(joined[b]) < 2 and root(a) != root(b):
            part[root(a)] = root(b)
            joined[a].append(b)
            joined[b].append(a)
    at, before = min(n for n in listed if len(joined[n]) == 1), None
    walked = [at]
    while following := [n for n in joined[at] if n != before]:
        before, at = at, following[0]
        walked.append(at)
    return walked


def _middle(area: Area) -> Point:
    """The middle of what is drawn."""
    if area.shape == "text":
        return area.text_x, area.text_y
    xs, ys = zip(*outline(area), strict=True)
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
