"""`onsale rush`: a crowd of visitors against a running server, and whether what it was told is the truth (S35)."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from enum import StrEnum
from typing import Annotated

import databases
import orjson
import typer

from cli.load import report
from cli.load.client import Client, Failed, RateLimited, Refused, require_server
from cli.load.event import make_event
from cli.load.journey import Patience
from cli.load.measures import Calls
from cli.load.rush import Plan, Progress, Result, rush, sale_of
from cli.load.truth import Simulator
from core.clock import SystemClock
from core.database import migrate, open_database
from core.embedded import engines
from core.errors import EventNotFound, StartupError
from core.secrets import OPERATOR_TOKEN_FILE
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.event_store_postgres import EventStore


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
    arrive: Annotated[float, typer.Option(min=0, help="All visitors come within this many seconds.")] = 0.0,
    tries: Annotated[int, typer.Option(min=1, help="Refused holds before a visitor gives up.")] = 5,
    linger: Annotated[
        float, typer.Option(min=0, help="Seconds a visitor waits while no seat is free but some are only held.")
    ] = 30.0,
    patience: Annotated[float, typer.Option(min=1, help="Seconds a visitor waits in the queue, at most.")] = 600.0,
    settle: Annotated[
        float, typer.Option(min=1, help="Seconds that payments may take to their end after the buyers have gone.")
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
    settings = Settings.load()
    plan = Plan(
        visitors=visitors, channel=channel.value, arrive_seconds=arrive, settle_seconds=settle, own_event=not event,
        patience=Patience(tries=tries, queue=patience, linger=linger, payment=60.0),
    )  # fmt: skip
    behaviour = {
        name: value
        for name, value in (
            ("success_rate", success_rate), ("hang_rate", hang_rate), ("latency_seconds", latency),
        )
        if value is not None
    }  # fmt: skip
    token = operator_token or settings.operator_token.get_secret_value() or _kept_token(settings)
    address = url or f"http://127.0.0.1:{settings.port}"

    async def run() -> Result:
        async with Client(address, connections=connections, calls=Calls()) as client:
            await require_server(client)
            with engines(settings) as started:
                await migrate(started.database_url)
                database = await open_database(started.database_url, 2)
                try:
                    simulator = Simulator(client, token) if token else None
                    async with (
                        _event(client, database, settings, event, seats, active_limit) as chosen,
                        _behaving(simulator, behaviour) as answering,
                    ):
                        with _progress(as_json) as show:
                            return await rush(client, database, chosen, plan, answering, show)
                finally:
                    await database.disconnect()

    try:
        result = asyncio.run(run())
    except RateLimited:
        raise StartupError(
            "the server limits how often one address may call: start it with ONSALE_RATE_LIMITS=off for load runs"
        ) from None
    except (Refused, Failed) as error:
        raise StartupError(f"the server at {address} does not work: {error}") from None
    if as_json:
        print(orjson.dumps(report.as_dict(result), option=orjson.OPT_INDENT_2).decode())
    else:
        print(report.as_text(result))
    if not result.ok:
        raise typer.Exit(1)


@contextlib.asynccontextmanager
async def _event(
    client: Client, database: databases.Database, settings: Settings, slug: str, seats: int, active_limit: int
) -> AsyncIterator[Event]:
    """The event named, or one made for this rush and closed afterwards. Raises StartupError, EventNotFound."""
    clock = SystemClock()
    events = EventStore(database, clock)
    if slug:
        try:
            yield await events.get(slug)
        except EventNotFound:
            raise EventNotFound(f"the database has no event {slug!r}: see `onsale event list`") from None
        return
    made = await make_event(events, settings, seats=seats, active_limit=active_limit, now=clock.now())
    try:
        try:
            await sale_of(client, made.slug)
        except Refused:
            raise StartupError(
                f"the server at {client.base} works on another database than this command: give both the same "
                "DATABASE_URL, or the same ONSALE_DATA"
            ) from None
        yield made
    finally:
        # Nobody buys there any more, and its keys in Redis go.
        await events.set_status(made.slug, SaleStatus.CLOSED)


@contextlib.asynccontextmanager
async def _behaving(simulator: Simulator | None, changes: dict[str, float]) -> AsyncIterator[Simulator | None]:
    """The simulator with these changes, which are taken back; None when it cannot be reached. Raises StartupError."""
    before = await simulator.behaviour() if simulator is not None else None
    if simulator is None or before is None:
        if changes:
            raise StartupError(
                "the payment simulator cannot be told how to behave: the server has none, or needs --operator-token"
            )
        yield None
        return
    if changes:
        await simulator.behave(**changes)
    try:
        yield simulator
    finally:
        if changes:
            await simulator.behave(**{name: before[name] for name in changes})


@contextlib.contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """One line on a terminal, rewritten; nothing elsewhere."""
    shown = not quiet and sys.stderr.isatty()

    def show(progress: Progress) -> None:
        if shown:
            print(f"\r\x1b[K{progress}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _kept_token(settings: Settings) -> str:
    """The data folder's operator token; empty when there is none: a load run makes no secrets."""
    try:
        return (settings.data.expanduser() / OPERATOR_TOKEN_FILE).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
