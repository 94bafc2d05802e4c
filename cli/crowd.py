"""`onsale crowd`: a simulated crowd for demonstrations, against a running server."""

from __future__ import annotations

from typing import Annotated

import typer


def crowd_command(
    slug: Annotated[str, typer.Argument(help="The event.", metavar="SLUG", show_default=False)],
    visitors: Annotated[int, typer.Option(min=1, max=100_000, help="How many come, and come again.")] = 300,
    url: Annotated[str, typer.Option(help="The server.", show_default="http://127.0.0.1:$PORT")] = "",
) -> None:
    """Fill an event with simulated visitors until Ctrl-C, so that the queue moves and seats go.

    They wait, look around, pick seats beside each other, let go, pay or leave, and leave some seats for you. A queue
    forms when there are more of them than the event lets in. The server needs ONSALE_RATE_LIMITS=off.

    Example: onsale crowd demo --visitors 300
    """
    from cli.load.crowd_command import run_crowd  # here: other commands, and `--help`, need not load all of it

    run_crowd(slug, visitors, url)
