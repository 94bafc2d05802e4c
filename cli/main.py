"""`onsale`: the command line. Each command has a module of its own; this one gathers them and reports errors.

Exit codes: 0 done; 1 the command could not run, or its check failed; 2 wrong usage or a request that was refused;
130 interrupted.
"""

from __future__ import annotations

import signal
import sys
from importlib.metadata import version
from types import FrameType
from typing import Annotated

import typer

from cli import (
    code,
    crowd,
    diagnose,
    draw,
    event,
    keys,
    messages,
    migrate,
    payments,
    plan,
    reconcile,
    removals,
    replay,
    reservation,
    rush,
    serve,
    worker,
)
from core.errors import OnsaleError, StartupError

app = typer.Typer(
    name="onsale",
    help="Sells numbered seats in the minute when everybody wants them.\n\n"
    "Settings come from the environment (DATABASE_URL, REDIS_URL, PORT, ONSALE_DATA, ...): see docs/settings.md. "
    "Without DATABASE_URL and REDIS_URL a PostgreSQL and a Valkey are started in the data folder.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(event.app, name="event")
app.add_typer(code.app, name="code")
app.add_typer(draw.app, name="draw")
app.add_typer(plan.app, name="plan")
app.add_typer(messages.app, name="messages")
app.add_typer(payments.app, name="payments")
app.add_typer(keys.app, name="keys")
app.add_typer(removals.app, name="removal")
app.add_typer(reservation.app, name="reservation")
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("migrate")(migrate.migrate)
app.command("rush")(rush.rush_command)
app.command("diagnose")(diagnose.diagnose)
app.command("reconcile")(reconcile.reconcile)
app.command("replay")(replay.replay)
app.command("crowd")(crowd.crowd_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"onsale {version('onsale')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of every command."""


@app.command("events", hidden=True, add_help_option=False, context_settings={"ignore_unknown_options": True})
def _renamed(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """The earlier name of `onsale messages`: an event is a performance."""
    _say(f"`onsale events` is `onsale messages` now: run `{' '.join(['onsale messages', *(arguments or [])])}`")
    raise typer.Exit(2)


def run() -> None:
    """The `onsale` program: whatever a user can cause ends as one clear line on stderr, never as a trace."""
    # As Ctrl-C does: the command unwinds, and engines that it started are stopped.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        app(prog_name="onsale")
    except StartupError as error:
        _say(str(error))
        sys.exit(1)
    except OnsaleError as error:
        _say(error.detail)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"onsale: {' '.join(text.split())}", file=sys.stderr)
