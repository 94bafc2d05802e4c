"""Runs benchmarks one after the other on stores of the run's own, and prints their tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import uvloop

from bench.best_seats import best_seats
from bench.events import events
from bench.fan_out import fan_out
from bench.guards import guards, guards_table
from bench.holds import holds
from bench.measure import Figure, table
from bench.memory import memory
from bench.opening_draw import opening_draw
from bench.purchases import purchases
from bench.recovery import recovery
from bench.reservations import reservations
from bench.stores import stores
from core.embedded import Engines
from core.process.cycle_collector import freeze_startup_objects
from core.runtime import open_runtime
from core.settings import Settings

RATIOS = {
    "fan-out": fan_out,
    "holds": holds,
    "best-seats": best_seats,
    "draw": opening_draw,
    "reservations": reservations,
    "purchases": purchases,
    "events": events,
}
DEFAULT = (*RATIOS, "memory")
NAMES = (*DEFAULT, "guards", "recovery")


def run(names: Sequence[str], *, rounds: int, json_file: Path | None) -> bool:
    """True when every aim was met. `names` are of `NAMES`; none: the default ones."""
    with stores() as (settings, started):
        figures, comparison = uvloop.run(_run(settings, started, names or DEFAULT, rounds))
    tables = [*([table(figures)] if figures else []), *([guards_table(comparison)] if comparison else [])]
    print("\n\n".join(tables))
    if json_file is not None:
        result = {"figures": [figure.as_dict() for figure in figures], "guards": comparison}
        json_file.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    return all(figure.met for figure in figures)


async def _run(
    settings: Settings, started: Engines, names: Sequence[str], rounds: int
) -> tuple[list[Figure], list[dict[str, Any]]]:
    figures: list[Figure] = []
    comparison: list[dict[str, Any]] = []
    async with open_runtime(settings, started) as runtime:
        freeze_startup_objects()  # as every process that serves
        for name in names:
            print(f"{name} ...", file=sys.stderr, flush=True)
            if name in RATIOS:
                figures += await RATIOS[name](runtime, rounds=rounds)
            elif name == "memory":
                figures += await memory(runtime)
            elif name == "recovery":
                figures += await recovery(rounds)
            else:
                comparison = await guards(settings, started)
    return figures, comparison
