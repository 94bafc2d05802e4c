"""A rush from the command line: the server, the event, the simulator's behaviour, and all of it put back."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import databases

from cli.load.client import Client, Failed, RateLimited, Refused, require_server
from cli.load.event import make_event
from cli.load.measures import Calls
from cli.load.rush import Plan, Progress, Result, rush, sale_of
from cli.load.truth import Simulator
from core.clock import SystemClock
from core.database import open_database
from core.embedded import engines
from core.errors import EventNotFound, StartupError
from core.schema_postgres import require_schema
from core.secrets import OPERATOR_TOKEN_FILE
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.event_store_postgres import EventStore


@dataclass(frozen=True)
class RushOrder:
    """What `onsale rush` was asked for. Empty `url`: this machine's PORT; empty `event`: one is made, with `seats` and
    `active_limit`; `behaviour`: changes of the payment simulator while the rush lasts."""

    plan: Plan
    url: str
    event: str
    seats: int
    active_limit: int
    connections: int
    behaviour: dict[str, float]
    operator_token: str
    quiet: bool


def run_rush(order: RushOrder) -> Result:
    """Raises StartupError with what to change, EventNotFound."""
    settings = Settings.load()
    token = order.operator_token or settings.operator_token.get_secret_value() or _kept_token(settings)
    address = order.url or f"http://127.0.0.1:{settings.port}"

    async def run() -> Result:
        async with Client(address, connections=order.connections, calls=Calls()) as client:
            await require_server(client)
            with engines(settings) as started:
                await require_schema(started.database_url)
                database = await open_database(started.database_url, 2)
                try:
                    simulator = Simulator(client, token) if token else None
                    async with (
                        _event(client, database, settings, order.event, order.seats, order.active_limit) as chosen,
                        _behaving(simulator, order.behaviour) as answering,
                    ):
                        with _progress(order.quiet) as show:
                            return await rush(client, database, chosen, order.plan, answering, show)
                finally:
                    await database.disconnect()

    try:
        return asyncio.run(run())
    except RateLimited:
        raise StartupError(
            "the server limits how often one address may call: start it with ONSALE_RATE_LIMITS=off for load runs"
        ) from None
    except (Refused, Failed) as error:
        raise StartupError(f"the server at {address} does not work: {error}") from None


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
