"""A figure, its limit, and how they are taken."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Round:
    """`count` things in `wall` seconds, for which this process spent `cpu` seconds of processor time."""

    count: int
    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Figure:
    """`aim`: the ratio that the product wants to reach; `most`, `least`: what it wants in the figure's own unit.

    None: no such aim. A ratio is the figure's part of its limit; of a cost (`most`) how many times the limit it is.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    limit_is: str = ""
    aim: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    most: float | None = None
    least: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.limit if self.limit else None

    @property
    def met(self) -> bool:
        return (
            (self.aim is None or (self.ratio or 0.0) >= self.aim)
            and (self.most is None or self.value <= self.most)
            and (self.least is None or self.value >= self.least)
        )

    @property
    def wanted(self) -> str:
        """The aim in words; empty: there is none."""
        return "; ".join(
            [
                *([f"{self.aim:.2f} of the limit"] if self.aim is not None else []),
                *([f"at most {number(self.most)} {self.unit}"] if self.most is not None else []),
                *([f"at least {number(self.least)} {self.unit}"] if self.least is not None else []),
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "met": self.met}


@dataclass(frozen=True, slots=True)
class Before:
    """What was measured on another day; `figures` by their names, in which `*` stands for anything."""

    date: str
    figures: Mapping[str, str]

    @classmethod
    def read(cls, file: Path) -> Before:
        return cls(**json.loads(file.read_text()))

    def of(self, name: str) -> str:
        """Empty: it was not measured."""
        return next((value for known, value in self.figures.items() if fnmatchcase(name, known)), "")


class TooBusy(RuntimeError):
    """What other programs took of the machine is more than what was to be measured: to be tried again."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: `rounds` of each side, each of about `seconds`. To try a row: 1 of 0.1."""

    rounds: int = 7
    seconds: float = 1.0

    def of(self, a_second: int, least: int = 20, most: int | None = None) -> int:
        """Things of one round where about so many go into a second. What a row's name says is asked for twice as
        often, so that half a second is enough for all of it.
        """
        return min(most or a_second * 60, max(least, round(a_second * self.seconds)))


class Stopwatch:
    """`with Stopwatch() as watch: ...`, then `watch.round(count)`. The garbage of before is not counted."""

    def __enter__(self) -> Stopwatch:
        gc.collect()
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu

    def round(self, count: int) -> Round:
        return Round(count, self.wall, self.cpu)


async def alternate(rounds: int, *kinds: Callable[[], Awaitable[Round]]) -> list[list[Round]]:
    """`rounds` rounds of each kind, in turns, so that what else the machine does meets all of them alike."""
    taken: list[list[Round]] = [[] for _ in kinds]
    for _ in range(rounds):
        for rounds_of, kind in zip(taken, kinds, strict=True):
            rounds_of.append(await kind())
    return taken


def best_wall(rounds: list[Round]) -> float:
    """Things a second in the round that was disturbed least."""
    return max(one.count / one.wall for one in rounds)


def best_cpu(rounds: list[Round]) -> float:
    """Things a second of this process's processor time, in the best round: what one core could do."""
    return max(one.count / one.cpu for one in rounds)


def median_wall(rounds: list[Round]) -> float:
    """Things a second in the round in the middle."""
    return statistics.median(one.count / one.wall for one in rounds)


def median_cpu(rounds: list[Round]) -> float:
    """Things a second of this process's processor time, in the round in the middle."""
    return statistics.median(one.count / one.cpu for one in rounds)


def table(figures: list[Figure], before: Before | None = None) -> str:
    """The figures as a Markdown table, which is readable on a terminal as well. `before`: a column of another day's."""
    rows = [("figure", *([before.date] if before else []), "value", "limit", "ratio", "aim", "")]
    for one in figures:
        ratio = f"{one.ratio:.2f}" if one.ratio is not None else ""
        met = "" if not one.wanted else "met" if one.met else "MISSED"
        limit = f"{number(one.limit)} ({one.limit_is})" if one.limit is not None else ""
        was = [before.of(one.name)] if before else []
        rows.append((one.name, *was, f"{number(one.value)} {one.unit}", limit, ratio, one.wanted, met))
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the head; columns are aligned."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    padded.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(row)} |" for row in padded)


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
