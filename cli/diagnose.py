"""`onsale diagnose`: "I can't book", walked step by step (S33)."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from cli.audit import note
from cli.runtime import look_at_runtime
from core.errors import StoreUnavailable

if TYPE_CHECKING:
    from core.diagnosis.finding import Finding
    from core.diagnosis.question import Diagnosis
    from core.runtime import Runtime

#: PostgreSQL's `integer`: what is beyond it is a slip, and no seat that is looked for.
_MOST_ORDINAL = 2**31 - 1
_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


def diagnose(
    visitor: Annotated[str, typer.Option(help="The visitor's id (v_...).", show_default=False)] = "",
    reservation: Annotated[str, typer.Option(help="The reservation's id.", show_default=False)] = "",
    event: Annotated[str, typer.Option(help="The event.", metavar="SLUG", show_default=False)] = "",
    seat: Annotated[
        int | None, typer.Option(help="The seat's ordinal; with --event.", show_default=False, min=0, max=_MOST_ORDINAL)
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Make the mends that are safe while a sale runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Walk "I can't book": dependencies, sale, queue, visitor, seat, lock, payment, e-mail.

    Names the likeliest cause, what to do about it, and the reply to the customer. Starts nothing, and changes nothing
    without --fix; with a store away it walks what it can. docs/diagnose.md lists all causes.

    Exit code 0 when nothing failed, 1 when a step failed and was not mended.
    """
    from core.diagnosis.question import Question

    if seat is not None and not event:
        raise typer.BadParameter("a seat needs --event", param_hint="--seat")
    if visitor and not event and not reservation:
        raise typer.BadParameter("a visitor needs --event", param_hint="--visitor")
    for text, option in ((event, "--event"), (visitor, "--visitor")):
        if not text.isprintable():
            raise typer.BadParameter(f"{text!a} is no text that anybody has", param_hint=option)
    try:
        id = UUID(reservation) if reservation else None
    except ValueError:
        raise typer.BadParameter(f"{reservation!r} is no reservation id", param_hint="--reservation") from None
    question = Question(visitor or None, id, event or None, seat)

    console = Console(highlight=False, soft_wrap=True)

    async def work(runtime: Runtime) -> Diagnosis:
        tell = (lambda finding: None) if as_json else partial(_show_step, console)
        found = await runtime.diagnose.run(question, fix=fix, tell=tell)
        if fix:
            # With PostgreSQL away the diagnosis says so, and there was nothing that could be mended.
            with contextlib.suppress(StoreUnavailable):
                asked = {"visitor": question.visitor, "reservation": reservation, "seat": seat}
                await note(
                    runtime.database,
                    "diagnosis.fix",
                    event or "-",
                    fixed=[finding.step for finding in found.findings if finding.fixed],
                    cause=found.cause,
                    **{name: value for name, value in asked.items() if value not in (None, "")},
                )
        return found

    found = look_at_runtime(work)
    if as_json:
        print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        _show_end(console, found)
    if any(finding.level == "fail" and not finding.fixed for finding in found.findings):
        raise typer.Exit(1)


def _show_step(console: Console, finding: Finding) -> None:
    level = Text(f"{finding.level:<4}", style=_COLOURS[finding.level])
    console.print(level, f" {finding.step:<16} {escape(finding.detail)}", sep="")


def _show_end(console: Console, found: Diagnosis) -> None:
    console.print()
    console.print(f"[bold]likeliest cause[/bold]  {found.cause}")
    console.print(f"[bold]what to do[/bold]       {escape(found.action)}")
    for language, reply in found.reply.items():
        console.print(f"[bold]reply ({language})[/bold]       {escape(reply)}")
