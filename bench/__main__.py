"""`python -m bench [NAME ...]`: fan-out, holds, reservations, memory; `guards` (S2, S4) when named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
import uvloop

from bench.fan_out import fan_out
from bench.guards import guards, guards_table
from bench.holds import holds
from bench.measure import Figure, table
from bench.memory import memory
from bench.reservations import reservations
from bench.stores import runtime_on, stores
from core.embedded import Engines
from core.settings import Settings

RATIOS = {"fan-out": fan_out, "holds": holds, "reservations": reservations}
NAMES = (*RATIOS, "memory", "guards")
DEFAULT = (*RATIOS, "memory")


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Some of: {', '.join(NAMES)}.", show_default=False)] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each side; the best of them counts.")] = 7,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results here as well.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 when an aim is missed.")] = False,
) -> None:
    """Measure the product against its limits on this machine, in the same run."""
    wanted = names or list(DEFAULT)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        raise typer.BadParameter(f"there is no benchmark {unknown[0]!r}: {', '.join(NAMES)}")
    with stores() as (settings, started):
        figures, comparison = uvloop.run(_run(settings, started, wanted, rounds))
    if figures:
        print(table(figures))
    if comparison:
        print(("\n" if figures else "") + guards_table(comparison))
    if json_file is not None:
        result = {"figures": [figure.as_dict() for figure in figures], "guards": comparison}
        json_file.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    if strict and not all(figure.met for figure in figures):
        raise typer.Exit(1)


async def _run(
    settings: Settings, started: Engines, wanted: list[str], rounds: int
) -> tuple[list[Figure], list[dict[str, object]]]:
    figures: list[Figure] = []
    comparison: list[dict[str, object]] = []
    async with runtime_on(settings, started) as runtime:
        for name in wanted:
            print(f"{name} ...", file=sys.stderr, flush=True)
            if name in RATIOS:
                figures += await RATIOS[name](runtime, rounds=rounds)
            elif name == "memory":
                figures += await memory(runtime)
            else:
                comparison = await guards(settings, started)
    return figures, comparison


if __name__ == "__main__":
    # Typer's decorated traces hide the line that matters.
    application = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    application.command()(main)
    application()
