"""`onsale rush`: a crowd of visitors against a running server, and whether what it was told is the truth (S35)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import orjson
import typer

#: In seconds: longer, or without an end, no event loop waits.
_DAY = 86_400


class Channel(StrEnum):
    HTTP = "http"
    WS = "ws"


def rush_command(
    visitors: Annotated[int, typer.Option(min=1, max=100_000, help="How many come.")] = 1000,
    seats: Annotated[int, typer.Option(min=1, max=100_000, help="Seats of the event made for this rush.")] = 1000,
    url: Annotated[str, typer.Option(help="The server.", show_default="http://127.0.0.1:$PORT")] = "",
    event: Annotated[
        str, typer.Option(help="Use this event instead of making one.", metavar="SLUG", show_default=False)
    ] = "",
    active_limit: Annotated[int, typer.Option(min=1, help="Visitors let in at once, of the event made.")] = 100,
    channel: Annotated[Channel, typer.Option(help="How visitors wait and hold: HTTP calls, or the live channel.")] = (
        Channel.HTTP
    ),
    connections: Annotated[int, typer.Option(min=1, max=10_000, help="HTTP calls under way at once, at most.")] = 200,
    arrive: Annotated[float, typer.Option(min=0, max=_DAY, help="All visitors come within this many seconds.")] = 0.0,
    tries: Annotated[int, typer.Option(min=1, help="Refused holds before a visitor gives up.")] = 5,
    linger: Annotated[
        float,
        typer.Option(min=0, max=_DAY, help="Seconds a visitor waits while no seat is free but some are only held."),
    ] = 30.0,
    patience: Annotated[
        float, typer.Option(min=1, max=_DAY, help="Seconds a visitor waits in the queue, at most.")
    ] = 600.0,
    settle: Annotated[
        float,
        typer.Option(min=1, max=_DAY, help="Seconds that payments may take to their end after the buyers have gone."),
    ] = 120.0,
    success_rate: Annotated[
        float | None, typer.Option(min=0, max=1, help="Payment simulator, for this rush: share of approved charges.")
    ] = None,
    hang_rate: Annotated[
        float | None, typer.Option(min=0, max=1, help="Payment simulator, for this rush: share that never answers.")
    ] = None,
    latency: Annotated[
        float | None, typer.Option(min=0, max=120, help="Payment simulator, for this rush: seconds of a charge.")
    ] = None,
    operator_token: Annotated[
        str, typer.Option(help="Opens the payment simulator's ledger.", show_default="the data folder's")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Send a crowd through a running server's public API and compare what it was told with the database.

    Prints where each visitor was stopped, throughput, latencies and errors. Exit code 1 when API, database, boards
    and the payment simulator's ledger do not agree. The server needs ONSALE_RATE_LIMITS=off; this command needs the
    server's DATABASE_URL or ONSALE_DATA, to make the event and to read the truth.

    Example: onsale rush --visitors 1000 --seats 1
    """
    # Here: other commands, and `--help`, need not load all of it.
    from cli.load import report
    from cli.load.journey import Timeouts
    from cli.load.rush import Plan
    from cli.load.rush_command import RushOrder, run_rush

    plan = Plan(
        visitors=visitors,
        channel=channel.value,
        arrive_seconds=arrive,
        settle_seconds=settle,
        own_event=not event,
        patience=Timeouts(tries=tries, queue=patience, linger=linger, payment=60.0),
    )
    behaviour = {
        name: value
        for name, value in (
            ("success_rate", success_rate),
            ("hang_rate", hang_rate),
            ("latency_seconds", latency),
        )
        if value is not None
    }
    result = run_rush(
        RushOrder(
            plan=plan,
            url=url,
            event=event,
            seats=seats,
            active_limit=active_limit,
            connections=connections,
            behaviour=behaviour,
            operator_token=operator_token,
            quiet=as_json,
        )
    )
    if as_json:
        print(orjson.dumps(report.as_dict(result), option=orjson.OPT_INDENT_2).decode())
    else:
        print(report.as_text(result))
    if not result.ok:
        raise typer.Exit(1)
