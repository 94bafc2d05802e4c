"""`onsale payments`: the books. Works on PostgreSQL directly, whether a server runs or not."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.audit import note
from cli.stores import connected

if TYPE_CHECKING:
    import databases

    from core.venue.event_store_postgres import EventStore

app = typer.Typer(help="The money that moved.", no_args_is_help=True)


@app.callback()
def _payments() -> None:
    """The money that moved."""


@app.command()
def export(
    event: Annotated[str, typer.Option(help="One event's slug; else all.")] = "",
    since: Annotated[str, typer.Option("--from", help="A day (UTC) or a time with its zone.", metavar="TIME")] = "",
    before: Annotated[str, typer.Option("--to", help="Before this; as --from.", metavar="TIME")] = "",
) -> None:
    """Print every charge, refund and fee as CSV, the oldest first; money in minor units."""
    first, last = _time(since, "--from"), _time(before, "--to")

    async def work(events: EventStore, database: databases.Database) -> None:
        from core.booking.books_postgres import movements

        event_id = (await events.get(event)).id if event else None
        async for piece in movements(database, event_id=event_id, since=first, before=last):
            sys.stdout.write(piece)
        await note(database, "payments.export", event or "-")

    connected(work)


def _time(text: str, option: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a day or a time such as 2026-05-01T20:00:00Z", param_hint=option
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
