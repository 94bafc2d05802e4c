"""`python -m bench`: the benchmarks, loaded when they are asked for: they need all of the product."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bench_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="fan-out, holds, best-seats, draw, reservations, events, memory (all when none is named); "
            "guards, recovery.",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each side; the best of them counts.")] = 7,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results here as well.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 when an aim is missed.")] = False,
) -> None:
    """Measure the product against its limits on this machine, with stores of its own.

    `python -m bench guards` shows the three seat guards side by side, and what early release of the lock is worth.
    """
    from bench.run import NAMES, run

    unknown = [name for name in names or () if name not in NAMES]
    if unknown:
        raise typer.BadParameter(f"there is no benchmark {unknown[0]!r}: {', '.join(NAMES)}", param_hint="NAMES")
    if not run(names or [], rounds=rounds, json_file=json_file) and strict:
        raise typer.Exit(1)


application = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
application.command()(bench_command)

if __name__ == "__main__":
    application(prog_name="python -m bench")
