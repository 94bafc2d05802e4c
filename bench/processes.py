"""What a second web process costs: the same work, shared out over two, beside one that has all of it.

    bare       answers of a bare Starlette, whose processes have nothing in common but the port: what a second one costs
               on this machine, whoever it is of. With half of the calls each has fewer of them in a turn of its loop
    holds      over HTTP; nothing but the stores is shared, so what one costs more is what two processes tell each other
    fan-out    a thousand changes a second to a thousand browsers: each process hears every change, and tells its own

Both are of the web processes' own processor time: 1.00 says that a second process costs nothing, and nothing of how
much faster two are. That a machine of two cores cannot show, because the load generator and Valkey want a core as
well: holds by the clock stand beside it for what they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from bench.bare import bare
from bench.measure import Effort, Figure
from bench.public_path import bare_calls, holding
from bench.served import Served
from bench.served_row import Taken, cheapest
from bench.watched import fan_out
from core.runtime import Runtime

_A_SECOND: Final = 1_000


async def processes(runtime: Runtime, serve: Callable[..., Served], effort: Effort) -> list[Figure]:
    """`serve` starts a sale with these settings, in the place of the one before, on the stores of `runtime`."""
    holds: dict[int, list[Taken]] = {}
    delivered: dict[int, float] = {}
    # As it is set there is one: the rows after this go on with it.
    for workers, settings in ((2, {"workers": "2"}), (1, {})):
        served = await asyncio.to_thread(partial(serve, **settings))
        holds[workers] = await asyncio.to_thread(_holds, served, effort)
        delivered[workers] = await fan_out(runtime, served, effort, _A_SECOND)
    a_second = {workers: 1e6 / cheapest(rounds).each for workers, rounds in holds.items()}
    by_clock = {workers: max(one.count / one.wall for one in rounds) for workers, rounds in holds.items()}
    answers = await asyncio.to_thread(_bare, effort)
    one = "one web process"
    return [
        Figure("bare answers of two processes", answers[2], "/s of CPU", answers[1], "one bare Starlette"),
        Figure("holds of two web processes", a_second[2], "/s of CPU", a_second[1], one, 0.95),
        Figure(
            "changes delivered by two web processes", 1e6 / delivered[2], "/s of CPU", 1e6 / delivered[1], one, 0.95
        ),
        Figure("holds of two web processes by the clock", by_clock[2], "/s", by_clock[1], one),
    ]


def _holds(served: Served, effort: Effort) -> list[Taken]:
    kind = holding(served, effort)
    taken = [kind() for _ in range(effort.rounds + 1)]
    return taken[1:]


def _bare(effort: Effort) -> dict[int, float]:
    """Answers a second of processor time, of one process and of two, which take turns."""
    with bare() as one, bare(count=2) as two:
        kinds = {len(side.processes): bare_calls(8000, b'{"seats":[1207]}')(side, effort) for side in (one, two)}
        taken: dict[int, list[Taken]] = {count: [] for count in kinds}
        for _ in range(effort.rounds + 1):
            for count, kind in kinds.items():
                taken[count].append(kind())
    return {count: 1e6 / cheapest(rounds[1:]).each for count, rounds in taken.items()}
