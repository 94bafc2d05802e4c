"""`onsale payments`: the books. Works on PostgreSQL directly, whether a server runs or not."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import orjson
import typer

from cli.audit import note, operator
from cli.runtime import with_runtime
from cli.stores import connected
from core.clock import iso
from core.errors import StartupError

if TYPE_CHECKING:
    import databases

    from core.booking.comparing import Comparison
    from core.booking.findings_postgres import Found
    from core.runtime import Runtime
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
    first, last = _times(since, before)

    async def work(events: EventStore, database: databases.Database) -> None:
        from core.booking.books_postgres import movements

        event_id = (await events.get(event)).id if event else None
        async for piece in movements(database, event_id=event_id, since=first, before=last):
            sys.stdout.write(piece)
        await note(database, "payments.export", event or "-")

    connected(work)


@app.command()
def compare(
    since: Annotated[str, typer.Option("--from", help="A day (UTC) or a time with its zone.", metavar="TIME")] = "",
    before: Annotated[str, typer.Option("--to", help="Before this; as --from.", metavar="TIME")] = "",
    mend: Annotated[str, typer.Option(help="Mend this finding, and compare nothing.", metavar="ID")] = "",
    by_hand: Annotated[bool, typer.Option("--by-hand", help="With --mend: only close it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Hold the providers' own lists of charges against the books; by default of the last hours.

    Exit code 1 when a difference is open or a list could not be read.
    """
    first, last = _times(since, before)
    try:
        id = UUID(mend) if mend else None
    except ValueError:
        raise typer.BadParameter(f"{mend!r} is no finding's id", param_hint="--mend") from None

    async def work(runtime: Runtime) -> tuple[list[Comparison], list[Found]]:
        if not runtime.payments.accounts() and not by_hand:
            # Nothing compared looks like nothing found.
            raise StartupError(
                "no provider is known here to ask: set ONSALE_PAYMENT, and its keys, as the servers have them"
            )
        if id is None:
            made = await runtime.comparing.compare(first, last)
            await note(runtime.database, "payments.compare", "-", new=sum(one.new for one in made))
        else:
            made, found = [], await runtime.mending.mend(id, operator(), by_hand=by_hand)
            await note(runtime.database, "payments.mend", "-", finding=mend, kind=found.kind, order=found.order)
        return made, [one for one in await runtime.findings.latest(1000) if one.state == "OPEN" or one.id == id]

    made, found = with_runtime(work)
    if as_json:
        print(orjson.dumps({"comparisons": made, "findings": found}, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(made, found)
    if any(one.state == "OPEN" for one in found) or any(one.code not in (None, "no_list") for one in made):
        raise typer.Exit(1)


def _show(made: list[Comparison], found: list[Found]) -> None:
    for one in made:
        said = f"{one.charges} charges, {one.differing} differ, {one.new} of them new"
        if one.code is not None:
            said = "the provider has no list" if one.code == "no_list" else f"not read to its end, code {one.code}"
        print(f"{one.provider}: {iso(one.since)} to {iso(one.until)}: {said}")
    for each in found:
        print(
            f"{each.id} {each.state} {each.kind}: {each.provider} order {each.order}, there {each.left_there} of "
            f"{each.amount_there}, here {each.left_here} of {each.amount_here} {each.currency}"
        )


def _times(since: str, before: str) -> tuple[datetime | None, datetime | None]:
    """Raises typer.BadParameter."""
    first, last = _time(since, "--from"), _time(before, "--to")
    if first is not None and last is not None and first >= last:
        raise typer.BadParameter("it is not before --to", param_hint="--from")
    return first, last


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
