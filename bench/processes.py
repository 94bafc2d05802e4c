"""What a second web process costs: the same holds over HTTP, shared out over two, beside one that has them all.

Nothing but the stores is shared, so what a hold costs more is what two processes tell each other: each hears of every
change, whoever made it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bench.measure import Effort, Figure
from bench.public_path import holding
from bench.served import Served
from bench.served_row import Taken, cheapest


async def processes(serve: Callable[..., Served], effort: Effort) -> list[Figure]:
    """`serve` starts a sale with these settings, in the place of the one before."""
    one, two = [await asyncio.to_thread(_rounds, serve, workers, effort) for workers in (1, 2)]
    a_second, of_one = 1e6 / cheapest(two).each, 1e6 / cheapest(one).each
    detail = {"a_second": max(taken.count / taken.wall for taken in two)}
    return [Figure("holds of two web processes", a_second, "/s of CPU", of_one, "one web process", 0.95, detail)]


def _rounds(serve: Callable[..., Served], workers: int, effort: Effort) -> list[Taken]:
    kind = holding(serve(workers=str(workers)), effort)
    taken = [kind() for _ in range(effort.rounds + 1)]
    return taken[1:]
