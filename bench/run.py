"""Runs benchmarks one after the other on stores of the run's own, and prints their tables."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop

from bench import arrival, offers, outages, public_path, storm, watched
from bench.bare import Bare, bare
from bench.begin import begin
from bench.best_seats import best_seats
from bench.bought import bought
from bench.calm import calm
from bench.events import events
from bench.fan_out import fan_out
from bench.guards import guards, guards_table
from bench.holds import holds
from bench.measure import Effort, Figure, table
from bench.memory import memory
from bench.opening_draw import opening_draw
from bench.processes import processes
from bench.purchases import purchases
from bench.recovery import recovery
from bench.report import write
from bench.reservations import reservations
from bench.served import Served, served
from bench.served_row import ServedRow
from bench.sizes import sizes
from bench.start import start
from bench.stores import stores
from core.embedded import Engines
from core.logs import configure_logs
from core.process.cycle_collector import freeze_startup_objects
from core.runtime import Runtime, open_runtime
from core.settings import Settings


@dataclass(slots=True)
class World:
    """The run's stores, this process's parts on them, and the servers that rows ask for: one of each kind at a time."""

    settings: Settings
    runtime: Runtime
    bare: Bare
    _served: tuple[Mapping[str, str], Served] | None = None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def serve(self, **changes: str) -> Served:
        """The sale, served with these settings. Blocks while it starts."""
        if self._served is None or self._served[0] != changes:
            self.end()
            self._served = changes, self._stack.enter_context(self._sale(changes))
        return self._served[1]

    @contextlib.contextmanager
    def served_anew(self) -> Iterator[Served]:
        """In a process of its own, which has not worked yet."""
        self.end()
        with self._sale({}) as started:
            yield started

    def _sale(self, changes: Mapping[str, str]) -> contextlib.AbstractContextManager[Served]:
        # The books of one database know one provider: all of the run is paid at the same.
        return served(self.settings, changes={**self.bare.provider(), **changes})

    def end(self) -> None:
        """A sale that is served has jobs, which would disturb what is measured in this process."""
        self._served = None
        self._stack.close()


Row = Callable[[World, Effort], Awaitable[list[Figure]]]


def _of_served(row: ServedRow) -> Row:
    async def measure(world: World, effort: Effort) -> list[Figure]:
        return await row.measure(await asyncio.to_thread(world.serve), world.bare, effort)

    return measure


def _of_runtime(of: Callable[..., Awaitable[list[Figure]]]) -> Row:
    """Rounds of a size of their own: what is shorter is measured in fewer of them."""

    async def measure(world: World, effort: Effort) -> list[Figure]:
        await asyncio.to_thread(world.end)
        return await of(world.runtime, rounds=effort.rounds)

    return measure


async def _bought(world: World, effort: Effort) -> list[Figure]:
    return await bought(world.runtime, world.serve, effort)


async def _delivered(world: World, effort: Effort) -> list[Figure]:
    return await watched.delivered(world.runtime, world.serve, world.bare, effort)


async def _sizes(world: World, effort: Effort) -> list[Figure]:
    return await sizes(world.runtime, world.serve, effort)


async def _start(world: World, effort: Effort) -> list[Figure]:
    await asyncio.to_thread(world.end)
    return await start(effort)


async def _processes(world: World, effort: Effort) -> list[Figure]:
    return await processes(world.runtime, world.serve, effort)


async def _calm(world: World, effort: Effort) -> list[Figure]:
    return await calm(world.serve, effort)


async def _memory(world: World, effort: Effort) -> list[Figure]:
    return await asyncio.to_thread(memory, world.served_anew, effort)


async def _offers(world: World, effort: Effort) -> list[Figure]:
    await asyncio.to_thread(world.end)
    return await offers.offers(world.runtime, effort)


async def _outages(world: World, effort: Effort) -> list[Figure]:
    figures = await outages.told(world.serve, effort)
    # A process whose stores hung a moment ago is none to measure the next row by.
    await asyncio.to_thread(world.end)
    return figures + await outages.time_given(world.runtime, effort)


async def _recovery(world: World, effort: Effort) -> list[Figure]:
    await asyncio.to_thread(world.end)
    return await recovery(effort.rounds)


#: Those that a tree of another commit can be measured by.
SERVED: Final = {row.name: row for row in (*public_path.ROWS, *arrival.ROWS, *watched.ROWS, *storm.ROWS, *offers.ROWS)}
ROWS: Final[Mapping[str, Row]] = {
    # The first: sessions of the crowds of other rows that end while nothing should happen are no calm.
    "calm": _calm,
    **{name: _of_served(row) for name, row in SERVED.items()},
    "delivered": _delivered,
    "sizes": _sizes,
    "purchases": _bought,
    "processes": _processes,
    "start": _start,
    "memory": _memory,
    "fan-out": _of_runtime(fan_out),
    "holds": _of_runtime(holds),
    "best-seats": _of_runtime(best_seats),
    "draw": _of_runtime(opening_draw),
    "offers": _offers,
    "outages": _outages,
    "reservations": _of_runtime(reservations),
    "begin": _of_runtime(begin),
    "checkout": _of_runtime(purchases),
    "events": _of_runtime(events),
}
#: Those that are run when they are named: they have shops of their own, which they kill.
APART: Final[Mapping[str, Row]] = {"recovery": _recovery}
#: Names of several rows.
GROUPS: Final = {"arrival": [row.name for row in arrival.ROWS]}
NAMES: Final = (*ROWS, *APART, *GROUPS, "guards")


def run(names: Sequence[str], *, effort: Effort, json_file: Path | None = None, page: Path | None = None) -> bool:
    """True when every row ran and every aim was met. `names` of `NAMES`; none: all of `ROWS`. `page`: for the table."""
    configure_logs(level="warning", form="text")  # a line on a terminal costs more than what it tells of
    asked = [one for name in names or ROWS for one in GROUPS.get(name, [name])]
    with stores() as (settings, started):
        figures, comparison, failed = uvloop.run(_run(settings, started, asked, effort))
    tables = [*([table(figures)] if figures else []), *([guards_table(comparison)] if comparison else [])]
    print("\n\n".join(tables))
    if json_file is not None:
        result = {"figures": [figure.as_dict() for figure in figures], "guards": comparison}
        json_file.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    if page is not None:
        write(page, figures, effort, failed)
    if failed:
        print(f"did not run to their end: {', '.join(failed)}", file=sys.stderr)
    return not failed and all(figure.met for figure in figures)


@contextlib.asynccontextmanager
async def world(settings: Settings, started: Engines) -> AsyncIterator[World]:
    async with open_runtime(settings, started) as runtime:
        freeze_startup_objects()  # as every process that serves
        with bare() as answering:
            opened = World(settings, runtime, answering)
            try:
                yield opened
            finally:
                await asyncio.to_thread(opened.end)


async def _run(
    settings: Settings, started: Engines, names: Sequence[str], effort: Effort
) -> tuple[list[Figure], list[dict[str, Any]], list[str]]:
    figures: list[Figure] = []
    comparison: list[dict[str, Any]] = []
    failed: list[str] = []
    async with world(settings, started) as opened:
        for name in names:
            print(f"{name} ...", file=sys.stderr, flush=True)
            if name in ROWS or name in APART:
                try:
                    figures += await {**ROWS, **APART}[name](opened, effort)
                except Exception:  # whatever it is: the other rows are worth having
                    traceback.print_exc()
                    failed.append(name)
            else:
                await asyncio.to_thread(opened.end)
                comparison = await guards(settings, started)
    return figures, comparison, failed
