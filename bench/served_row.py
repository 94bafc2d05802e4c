"""A row whose figure is that of a served sale: prepared on a server, measured in turns with its limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.bare import Bare
from bench.load import Job, LoadGenerator, Result
from bench.measure import Effort, Figure
from bench.served import WEB, Served, seconds_of

#: The load generator waited for the server where it had less than this of its core.
IDLE = 0.9


@dataclass(frozen=True, slots=True)
class Taken:
    """One round: `cpu` is seconds of each part; `result` is what the load generator saw."""

    count: int
    wall: float
    cpu: dict[str, float]
    result: Result = field(default_factory=Result)

    @property
    def each(self) -> float:
        """Microseconds of the web process for each."""
        return 1e6 * self.cpu[WEB] / self.count


Kind = Callable[[], Taken]


@dataclass(frozen=True, slots=True)
class ServedRow:
    """`prepare` and `limit` make what takes one round; both block. `figures` gets the rounds of the limit, and ours."""

    name: str
    prepare: Callable[[Served, Effort], Kind]
    limit: Callable[[Bare, Effort], Kind]
    figures: Callable[[Sequence[Taken], Sequence[Taken]], list[Figure]]

    async def measure(self, served: Served, bare: Bare, effort: Effort) -> list[Figure]:
        limit, ours = await self.rounds(effort, bare, served)
        return self.figures(limit, ours)

    async def rounds(self, effort: Effort, bare: Bare, *sides: Served) -> list[list[Taken]]:
        """Rounds of the limit and of each side, in turns; a first round of each warms it and is thrown away."""
        kinds = [await asyncio.to_thread(self.limit, bare, effort)]
        kinds += [await asyncio.to_thread(self.prepare, side, effort) for side in sides]
        taken: list[list[Taken]] = [[] for _ in kinds]
        for number in range(effort.rounds + 1 if effort.rounds > 1 else 1):
            for rounds_of, kind in zip(taken, kinds, strict=True):
                one = await asyncio.to_thread(kind)
                if number or effort.rounds == 1:
                    rounds_of.append(one)
        return taken


def of_served(served: Served, job: Job, wanted: dict[int, int] | int) -> Taken:
    """One job done by the load generator. Raises RuntimeError when it did not end as `wanted`: status, or how many of
    each.
    """
    with LoadGenerator(job) as load:
        before = served.cpu()
        result = load.run()
        spent = served.cpu().since(before)
    return Taken(_checked(result, wanted), result.wall, spent, result)


def of_bare(bare: Bare, job: Job) -> Taken:
    with LoadGenerator(job) as load:
        before = sum(map(seconds_of, bare.processes))
        result = load.run()
        spent = sum(map(seconds_of, bare.processes)) - before
    return Taken(_checked(result, 200), result.wall, {WEB: spent}, result)


def _checked(result: Result, wanted: dict[int, int] | int) -> int:
    expected = {wanted: result.count} if isinstance(wanted, int) else wanted
    if dict(result.outcomes) != expected:
        raise RuntimeError(f"a benchmark of something else: {dict(result.outcomes)} instead of {expected}")
    return result.count


def cheapest(rounds: Sequence[Taken]) -> Taken:
    """The round that was disturbed least."""
    return min(rounds, key=lambda one: one.each)


def cost(name: str, limit_is: str, most: float | None) -> Callable[[Sequence[Taken], Sequence[Taken]], list[Figure]]:
    """Processor time of the web process for each; the figure's detail has rates and times of the same round."""

    def figures(limit: Sequence[Taken], ours: Sequence[Taken]) -> list[Figure]:
        best, bare = cheapest(ours), cheapest(limit)
        detail = {
            "a_second": max(one.count / one.wall for one in ours),
            "limit_a_second": max(one.count / one.wall for one in limit),
            "p50_ms": 1000 * best.result.percentile(0.5),
            "p99_ms": 1000 * best.result.percentile(0.99),
            "parts_us": {part: 1e6 * spent / best.count for part, spent in best.cpu.items()},
            "generator_busy": max(one.result.busy for one in (*ours, *limit)),
        }
        return [Figure(name, best.each, "us CPU", bare.each, limit_is, detail=detail, most=most)]

    return figures
