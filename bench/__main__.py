"""`python -m bench`: the benchmarks, loaded when they are asked for: they need all of the product."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_ROUNDS = typer.Option(min=1, help="Rounds of each side; the best of them counts.")
_SECONDS = typer.Option(min=0.001, help="How long about a round of each side takes; 0.1 to see whether a row runs.")


application = typer.Typer(
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Measure the product against its limits on this machine, with stores of its own.",
)


@application.command("rows")
def rows_command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Rows of the table; all when none is named.", show_default=False)
    ] = None,
    rounds: Annotated[int, _ROUNDS] = 7,
    seconds: Annotated[float, _SECONDS] = 1.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results here as well.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the table into docs/benchmarks.md.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 when an aim is missed.")] = False,
) -> None:
    """Rows of the table. Only when named: `guards`, the three seat guards side by side and what early release is worth;
    `recovery`, how soon buyers are served after a kill.
    """
    from bench.measure import Effort
    from bench.report import PAGE
    from bench.run import NAMES, run

    _known(names or [], NAMES)
    if write and names:
        raise typer.BadParameter("a table is of one run: name no rows", param_hint="--write")
    met = run(names or [], effort=Effort(rounds, seconds), json_file=json_file, page=PAGE if write else None)
    if strict and not met:
        raise typer.Exit(1)


@application.command("compare")
def compare_command(
    ref: Annotated[str, typer.Argument(help="A commit: measured beside the tree that this is run in.")],
    names: Annotated[list[str] | None, typer.Argument(help="Rows of a served sale.", show_default=False)] = None,
    rounds: Annotated[int, _ROUNDS] = 7,
    seconds: Annotated[float, _SECONDS] = 1.0,
) -> None:
    """What a change cost: both trees served at once, measured in turns by one load generator."""
    from bench.compare import PURCHASES, compare
    from bench.measure import Effort
    from bench.run import SERVED

    _known(names or [], (*SERVED, PURCHASES))
    compare(ref, names or [*SERVED, PURCHASES], Effort(rounds, seconds))


@application.command("interpreters")
def interpreters_command(
    python: Annotated[Path, typer.Argument(help="Another interpreter whose environment has the same packages.")],
    names: Annotated[list[str] | None, typer.Argument(help="Rows of a served sale.", show_default=False)] = None,
    rounds: Annotated[int, _ROUNDS] = 7,
    seconds: Annotated[float, _SECONDS] = 1.0,
    write: Annotated[bool, typer.Option("--write", help="Into docs/benchmarks.md.")] = False,
) -> None:
    """This tree under another CPython and under this one: both served at once, measured in turns."""
    from bench.compare import HOT, interpreters
    from bench.measure import Effort
    from bench.run import SERVED

    _known(names or [], tuple(SERVED))
    interpreters(python, names or HOT, Effort(rounds, seconds), write=write)


@application.command("scale")
def scale_command(
    visitors: Annotated[int, typer.Option(min=2_000, help="In the queue of one Valkey.")] = 1_000_000,
    channels: Annotated[int, typer.Option(min=20, help="Open at one web process.")] = 20_000,
    wave: Annotated[int, typer.Option(min=100, help="Visitors let in by one raise of the limit.")] = 20_000,
    of: Annotated[int, typer.Option(help="The sale that is calculated from it, in visitors.")] = 2_000_000,
    write: Annotated[bool, typer.Option("--write", help="Into docs/benchmarks.md and docs/scaling.md.")] = False,
) -> None:
    """A large queue, many channels, and what a sale of millions needs by these figures."""
    from bench.scale import run_scale

    run_scale(visitors=visitors, channels=channels, wave=wave, of=of, write=write)


@application.command("profile")
def profile_command(
    names: Annotated[list[str] | None, typer.Argument(help="Rows of a served sale.", show_default=False)] = None,
    seconds: Annotated[float, _SECONDS] = 3.0,
    write: Annotated[bool, typer.Option("--write", help="Into docs/profiles.md.")] = False,
) -> None:
    """Where the web process spends its time: the ten functions that are at work most often in each row."""
    from bench.measure import Effort
    from bench.profile import NAMES, run_profile

    _known(names or [], NAMES)
    run_profile(names or [], effort=Effort(1, seconds), write=write)


def _known(names: list[str], known: tuple[str, ...]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise typer.BadParameter(f"there is no benchmark {unknown[0]!r}: {', '.join(known)}", param_hint="NAMES")


def main() -> None:
    """`python -m bench [ROWS]` is `python -m bench rows [ROWS]`."""
    import sys

    commands = {command.name for command in application.registered_commands}
    given = sys.argv[1:]
    if not given or given[0] not in {*commands, "--help"}:
        given = ["rows", *given]
    application(given, prog_name="python -m bench")


if __name__ == "__main__":
    main()
