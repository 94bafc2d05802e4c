"""`onsale plan check`: is this file a seat plan that can be sold?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from cli.files import read_plan
from cli.say import say
from core.errors import PlanInvalid
from core.venue.plan_import import load_plan, seats_by_category
from core.venue.seat_plan import SeatPlan

app = typer.Typer(help="Seat plans (pretix's seating-plan JSON format).", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `check` a subcommand although it is the only one."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A seating plan file.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check a seat plan file: what is in it, or every error with its place. Exit code 1 when it is not valid."""
    try:
        plan = load_plan(read_plan(file))
    except PlanInvalid as error:
        errors, more = error.data["errors"], error.data["more"]
        if as_json:
            _print_json({"ok": False, "errors": errors, "more": more})
        else:
            print_errors(file, error)
        raise typer.Exit(1) from None
    if as_json:
        warnings = [one.told() for one in plan.warnings]
        _print_json({"ok": True, **_summary(plan), "warnings": warnings, "more_warnings": plan.more_warnings})
    else:
        _print_summary(file, plan)
        print_warnings(file, plan)


def print_errors(file: Path, error: PlanInvalid) -> None:
    """One line an error on stderr: `file: place: what is wrong`."""
    errors, more = error.data["errors"], error.data["more"]
    for found in errors:
        print(f"{file}: {found['at']}: {found['message']}", file=sys.stderr)
    if more:
        print(f"{file}: and {more} more", file=sys.stderr)
    total = len(errors) + more
    say(f"{file} is not a valid seat plan: {total} {'error' if total == 1 else 'errors'}")


def print_warnings(file: Path, plan: SeatPlan) -> None:
    """One line a warning on stderr: the plan can be sold all the same."""
    for one in plan.warnings:
        print(f"{file}: warning: {one.at}: {one.message}", file=sys.stderr)
    if plan.more_warnings:
        print(f"{file}: and {plan.more_warnings} more warnings", file=sys.stderr)


def _summary(plan: SeatPlan) -> dict[str, object]:
    counts = seats_by_category(plan)
    return {
        "name": plan.name,
        "seats": len(plan.seats),
        "accessible": sum(seat.accessible for seat in plan.seats),
        "rows": len({(seat.zone, seat.row) for seat in plan.seats}),
        "zones": {zone: sum(seat.zone == zone for seat in plan.seats) for zone in plan.zones},
        "categories": counts,
        "width": plan.width,
        "height": plan.height,
    }


def _print_summary(file: Path, plan: SeatPlan) -> None:
    summary = _summary(plan)
    accessible = f", {summary['accessible']} for wheelchair users" if summary["accessible"] else ""
    print(f"{file}: ok: {plan.name}")
    print(f"  {summary['seats']} seats{accessible}, {len(plan.zones)} zones, {summary['rows']} rows")
    for title, counts in (("zones", summary["zones"]), ("categories", summary["categories"])):
        assert isinstance(counts, dict)  # noqa: S101 - built above
        print(f"  {title}:")
        for name, count in counts.items():
            print(f"    {count:>7}  {name or '(no name)'}")


def _print_json(value: dict[str, object]) -> None:
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
