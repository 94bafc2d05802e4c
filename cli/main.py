"""`onsale`: the command line. Each command has a module of its own; this one gathers them and reports errors.

Exit codes: 0 done; 1 the command could not run, or its check failed; 2 wrong usage or a request that was refused;
130 interrupted.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from cli.ends import begin, told_in_one_line
from cli.lazy_commands import LazyCommand, lazy_group
from cli.say import say

#: In the order in which `--help` lists them.
COMMANDS = (
    LazyCommand(
        "serve",
        "cli.serve",
        "serve",
        "Serve the sale: HTTP, live channel and background jobs, in WORKERS processes.",
    ),
    LazyCommand(
        "worker",
        "cli.worker",
        "worker",
        "Relay, consumers, payments left over and periodic jobs, without a web server; Ctrl-C ends it in order.",
    ),
    LazyCommand(
        "migrate",
        "cli.migrate",
        "migrate",
        "Bring the schema of the database up to date. Safe to call twice, and while nothing else runs.",
    ),
    LazyCommand(
        "rush",
        "cli.rush",
        "rush_command",
        "Send a crowd through a running server's public API and compare what it was told with the database.",
    ),
    LazyCommand(
        "diagnose",
        "cli.diagnose",
        "diagnose",
        'Walk "I can\'t book": dependencies, sale, queue, visitor, seat, lock, payment, e-mail.',
    ),
    LazyCommand(
        "reconcile",
        "cli.reconcile",
        "reconcile",
        "Compare Redis with PostgreSQL and mend Redis. Exit code 1 when a seat is still wrong at the end.",
    ),
    LazyCommand(
        "replay",
        "cli.replay",
        "replay",
        "Rebuild every seat from the Kafka topic alone and compare with PostgreSQL. Changes nothing.",
    ),
    LazyCommand(
        "crowd",
        "cli.crowd",
        "crowd_command",
        "Fill an event with simulated visitors until Ctrl-C, so that the queue moves and seats go.",
    ),
    LazyCommand("event", "cli.event", "app", "Sales of one performance each."),
    LazyCommand("code", "cli.code", "app", "Access codes of a sale's phases."),
    LazyCommand("draw", "cli.draw", "app", "The draw at an opening."),
    LazyCommand("plan", "cli.plan", "app", "Seat plans (pretix's seating-plan JSON format)."),
    LazyCommand("messages", "cli.messages", "app", "Messages through outbox and Kafka: what consumers gave up."),
    LazyCommand("payments", "cli.payments", "app", "The money that moved."),
    LazyCommand("keys", "cli.keys", "app", "The key that signs visitors, places in the queue and tickets."),
    LazyCommand("removal", "cli.removals", "app", "Visitors and networks that are kept out of a sale for a while."),
    LazyCommand("reservation", "cli.reservation", "app", "What is done for one buyer."),
)

app = typer.Typer(
    name="onsale",
    cls=lazy_group(COMMANDS),
    help="Sells numbered seats in the minute when everybody wants them.\n\n"
    "Settings come from the environment (DATABASE_URL, REDIS_URL, PORT, ONSALE_DATA, ...): see docs/settings.md. "
    "Without DATABASE_URL and REDIS_URL a PostgreSQL and a Valkey are started in the data folder.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    say(f"`onsale events` is `onsale messages` now: run `{' '.join(['onsale messages', *(arguments or [])])}`")
    raise typer.Exit(2)


def run() -> None:
    """The `onsale` program: whatever a user can cause ends as one clear line on stderr, never as a trace."""
    begin()
    command = next(iter(sys.argv[1:]), "")
    told_in_one_line(lambda: app(prog_name="onsale"), long_lived=command if command in ("serve", "worker") else "")
