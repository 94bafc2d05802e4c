"""`onsale reconcile`: does Redis say what PostgreSQL says, seat by seat; and if not, mend it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from cli.audit import note
from cli.runtime import with_runtime

if TYPE_CHECKING:
    from core.runtime import Runtime
    from core.upkeep.reconcile import Report

#: In minutes.
_YEAR = 525_600


def reconcile(
    event: Annotated[str, typer.Option(help="Only this event.", metavar="SLUG", show_default=False)] = "",
    recent: Annotated[
        float, typer.Option(help="Only seats changed in the last so many minutes; 0: all.", min=0, max=_YEAR)
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is wrong and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare Redis with PostgreSQL and mend Redis. Exit code 1 when a seat is still wrong at the end."""

    async def work(runtime: Runtime) -> list[Report]:
        events = [await runtime.events.get(event)] if event else await runtime.events.list()
        within = timedelta(minutes=recent) if recent else None
        reports = []
        for each in events:
            report = await runtime.reconcile.run(each, changed_within=within, dry_run=dry_run)
            await note(
                runtime.database,
                "sale.reconcile",
                each.slug,
                dry_run=dry_run,
                seats=report.seats,
                found=len(report.found),
                mended=report.mended,
            )
            reports.append(report)
        return reports

    reports = with_runtime(work)
    if as_json:
        print(orjson.dumps([_plain(report) for report in reports], option=orjson.OPT_INDENT_2).decode())
    else:
        for report in reports:
            for line in report.lines():
                print(line)
            print(f"{report.event}: {report.seats} seats compared, {len(report.found)} wrong, {report.mended} mended")
    if any(len(report.found) > report.mended for report in reports):
        raise typer.Exit(1)


def _plain(report: Report) -> dict[str, object]:
    return {
        "event": report.event,
        "seats": report.seats,
        "mended": report.mended,
        "found": [
            {"seat": m.ordinal, "kind": m.kind, "redis": m.redis, "database": m.database, "since": m.since}
            for m in report.found
        ],
    }
