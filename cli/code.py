"""`onsale code`: access codes, which open a phase of a sale to who has one. Works whether a server runs or not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from cli.audit import note
from cli.runtime import with_runtime
from core.clock import iso
from core.venue.codes import read_codes

if TYPE_CHECKING:
    from core.runtime import Runtime
    from core.venue.codes_postgres import Added

app = typer.Typer(help="Access codes of a sale's phases.", no_args_is_help=True)

Slug = Annotated[str, typer.Argument(help="The event.")]
Group = Annotated[str, typer.Option(help="The group of codes, which a phase names.", show_default=False)]
Uses = Annotated[int, typer.Option(min=1, help="Purchases that each code is good for.")]


@app.command()
def create(
    slug: Slug,
    group: Group,
    count: Annotated[int, typer.Option(min=1, help="How many.", show_default=False)],
    uses: Uses = 1,
) -> None:
    """Make codes and print them as CSV: it is the only copy, nobody can read a code again."""

    async def work(runtime: Runtime) -> list[str]:
        made = await runtime.codes.make(await runtime.events.fresh(slug), group, count, uses)
        await note(runtime.database, "codes.make", slug, group=group, count=len(made), uses=uses)
        return made

    made = with_runtime(work)
    sys.stdout.write("code\n" + "".join(f"{code}\n" for code in made))


@app.command("import")
def bring(
    slug: Slug,
    file: Annotated[
        Path, typer.Argument(help="CSV, a code in the first column of each line.", exists=True, dir_okay=False)
    ],
    group: Group,
    uses: Uses = 1,
) -> None:
    """Bring along codes that were made elsewhere; all of the file or nothing."""

    async def work(runtime: Runtime) -> Added:
        event = await runtime.events.fresh(slug)
        with file.open(encoding="utf-8") as lines:
            added = await runtime.codes.add(event, group, read_codes(lines), uses)
        await note(runtime.database, "codes.import", slug, group=group, count=added.codes, uses=uses)
        return added

    try:
        added = with_runtime(work)
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not UTF-8 text: save it once more as UTF-8", param_hint="FILE") from None
    known = f"; {added.known} were known" if added.known else ""
    print(f"{added.codes} new code{'' if added.codes == 1 else 's'} of {group}{known}")


@app.command("list")
def show(
    slug: Slug, as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False
) -> None:
    """The groups: how many codes, how many were used."""

    async def work(runtime: Runtime) -> list[dict[str, object]]:
        event = await runtime.events.fresh(slug)
        return [
            {
                "name": one.name,
                "uses": one.uses,
                "codes": one.codes,
                "revoked": one.revoked,
                "spent": one.spent,
                "made_at": iso(one.made_at),
            }
            for one in await runtime.codes.groups(event.id)
        ]

    found = with_runtime(work, writes=False)
    if as_json:
        print(orjson.dumps({"groups": found}, option=orjson.OPT_INDENT_2).decode())
        return
    if not found:
        print(f"{slug} has no codes: `onsale code create --help`")
    for one in found:
        print(
            f"{one['name']}: {one['codes']} codes, each for {one['uses']}; {one['spent']} purchases, "
            f"{one['revoked']} revoked"
        )


@app.command()
def revoke(
    slug: Slug,
    codes: Annotated[list[str] | None, typer.Argument(help="These codes.")] = None,
    group: Annotated[str | None, typer.Option(help="All of this group.", show_default=False)] = None,
) -> None:
    """Codes that open nothing any more. What was bought with them stays bought."""
    if not codes and group is None:
        raise typer.BadParameter("name codes, or a --group")

    async def work(runtime: Runtime) -> int:
        revoked = await runtime.codes.revoke(await runtime.events.fresh(slug), group, codes)
        await note(runtime.database, "codes.revoke", slug, group=group, count=revoked)
        return revoked

    revoked = with_runtime(work)
    print(f"{revoked} code{'' if revoked == 1 else 's'} revoked")
