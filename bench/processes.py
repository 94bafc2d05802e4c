"""What a second web process costs: the same work, shared out over two, beside one that has all of it.

    holds      over HTTP; nothing but the stores is shared, so what one costs more is what two processes tell each other
    fan-out    a thousand changes a second to a thousand browsers: each process hears every change, and tells its own

Both are of the web processes' own processor time: 1.00 says that a second process costs nothing, and nothing of how
much faster two are. That a machine of two cores cannot show, because the load generator and Valkey want a core as
well: holds by the clock stand beside it for what they are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from bench.measure import Effort, Figure
from bench.public_path import holding
from bench.served import WEB, Served
from bench.served_row import Taken, cheapest
from bench.sink import Sink, sink
from bench.stores import let_in
from core.runtime import Runtime

_WATCHERS: Final = 1_000
_A_SECOND: Final = 1_000
#: Changes are made so many times a second, several at once.
_TICKS: Final = 50
_PATIENCE: Final = 120.0


async def processes(runtime: Runtime, serve: Callable[..., Served], effort: Effort) -> list[Figure]:
    """`serve` starts a sale with these settings, in the place of the one before, on the stores of `runtime`."""
    holds: dict[int, list[Taken]] = {}
    fan_out: dict[int, float] = {}
    for workers in (1, 2):
        served = await asyncio.to_thread(serve, workers=str(workers))
        holds[workers] = await asyncio.to_thread(_holds, served, effort)
        fan_out[workers] = await _fan_out(runtime, served, effort)
    a_second = {workers: 1e6 / cheapest(rounds).each for workers, rounds in holds.items()}
    by_clock = {workers: max(one.count / one.wall for one in rounds) for workers, rounds in holds.items()}
    one = "one web process"
    return [
        Figure("holds of two web processes", a_second[2], "/s of CPU", a_second[1], one, 0.95),
        Figure("changes delivered by two web processes", 1e6 / fan_out[2], "/s of CPU", 1e6 / fan_out[1], one, 0.95),
        Figure("holds of two web processes by the clock", by_clock[2], "/s", by_clock[1], one),
    ]


def _holds(served: Served, effort: Effort) -> list[Taken]:
    kind = holding(served, effort)
    taken = [kind() for _ in range(effort.rounds + 1)]
    return taken[1:]


async def _fan_out(runtime: Runtime, served: Served, effort: Effort) -> float:
    """Microseconds of the web processes for one change to one browser, in the best round."""
    count = effort.of(_WATCHERS, most=_WATCHERS)
    changes = effort.of(_A_SECOND, least=2 * _TICKS)
    event = await runtime.events.get(await asyncio.to_thread(served.event, changes))
    await runtime.seats.ensure_board(event)
    holders = [f"v_{number:022d}" for number in range(changes)]
    await let_in(runtime, event, holders)
    tokens = await asyncio.to_thread(served.visitors, count)
    found = []
    with sink(served.port, count, path=f"/ws/events/{event.slug}", tokens=tokens) as watching:
        await asyncio.to_thread(watching.wait_until_open)
        await _quiet(watching)
        for number in range(effort.rounds + 1):
            idle, began = served.cpu(), time.monotonic()
            await asyncio.sleep(1.0)
            resting = served.cpu().since(idle)[WEB] / (time.monotonic() - began)
            before, began = served.cpu(), time.monotonic()
            for first in range(0, changes, _A_SECOND // _TICKS):
                some = range(first, min(first + _A_SECOND // _TICKS, changes))
                await asyncio.gather(*(runtime.seats.hold(event, holders[seat], [seat]) for seat in some))
                await asyncio.sleep(max(0.0, began + (first + len(some)) / _A_SECOND - time.monotonic()))
            await _quiet(watching)
            took = time.monotonic() - began
            spent = served.cpu().since(before)[WEB] - resting * took
            if number:
                found.append(1e6 * max(spent, 1e-6) / changes / count)
            await asyncio.gather(*(runtime.seats.release(event, visitor) for visitor in holders))
            await _quiet(watching)
    return min(found)


async def _quiet(to: Sink) -> None:
    """Until no more arrives."""
    seen = -1
    async with asyncio.timeout(_PATIENCE):
        while seen != to.bytes:
            seen = to.bytes
            await asyncio.sleep(0.3)
