"""`onsale removal`: who is kept out of a sale for a while."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from cli.audit import note, operator
from cli.runtime import with_runtime
from core.clock import iso
from core.errors import NotFound
from core.visitor_id import VISITOR_ID

if TYPE_CHECKING:
    from core.runtime import Runtime
    from core.waiting_room.removals_postgres import Removal

app = typer.Typer(help="Visitors and networks that are kept out of a sale for a while.", no_args_is_help=True)

Slug = Annotated[str, typer.Argument(help="The event's slug.", show_default=False)]


@app.command()
def add(
    slug: Slug,
    visitor: Annotated[str | None, typer.Option(help="A visitor's id (v_...).", show_default=False)] = None,
    network: Annotated[
        str | None, typer.Option(help="An address or a CIDR network, such as 203.0.113.0/24.", show_default=False)
    ] = None,
    minutes: Annotated[int, typer.Option(help="How long they stay out.", min=1, max=43_200)] = 60,
) -> None:
    """Put a visitor or a network out of a sale, and keep them out. Who is paying is out when the payment is over."""
    from core.waiting_room.removals_postgres import network_of  # here: `--help` need not load it

    if (visitor is None) == (network is None):
        raise typer.BadParameter("name one of the two", param_hint="--visitor, --network")
    # A slip would keep nobody out, and say that it does.
    if visitor is not None and not VISITOR_ID.fullmatch(visitor):
        raise typer.BadParameter(f"{visitor[:80]!r} is no visitor's id (v_...)", param_hint="--visitor")
    try:
        parsed = network_of(network) if network is not None else None
    except ValueError:
        raise typer.BadParameter(
            f"{network!r} is no address or CIDR network, such as 203.0.113.0/24", param_hint="--network"
        ) from None

    async def work(runtime: Runtime) -> Removal:
        event = await runtime.events.get(slug)
        until = runtime.clock.now() + timedelta(minutes=minutes)
        made = await runtime.removals.add(event, visitor=visitor, network=parsed, until=until, actor=operator())
        if visitor is not None:
            await runtime.removals.put_out(event, visitor)
        whom = {"visitor": visitor} if visitor else {"network": str(parsed)}
        await note(runtime.database, "visitor.remove", slug, **whom, until=iso(until), id=made.id)
        return made

    made = with_runtime(work)
    print(f"{made.visitor or made.network} is kept out of {slug} until {iso(made.until)} (removal {made.id})")


@app.command("list")
def list_removals(
    slug: Slug, as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False
) -> None:
    """List the removals of a sale that are in force."""

    async def work(runtime: Runtime) -> Sequence[Removal]:
        return await runtime.removals.in_force(await runtime.events.get(slug))

    found = with_runtime(work, writes=False)
    if as_json:
        print(orjson.dumps([_plain(one) for one in found], option=orjson.OPT_INDENT_2).decode())
        return
    for one in found:
        print(f"{one.id}  {one.visitor or one.network}  until {iso(one.until)}  by {one.actor}")
    print(f"{len(found)} removal{'' if len(found) == 1 else 's'} in force")


@app.command()
def end(slug: Slug, id: Annotated[int, typer.Argument(help="From `list`.", show_default=False)]) -> None:
    """Let them in again."""

    async def work(runtime: Runtime) -> bool:
        done = await runtime.removals.end(await runtime.events.get(slug), id)
        if done:
            await note(runtime.database, "removal.end", slug, id=id)
        return done

    if not with_runtime(work):
        raise NotFound(f"there is no removal {id} of {slug}, or it is over: `onsale removal list {slug}`")
    print(f"removal {id} is over")


def _plain(removal: Removal) -> dict[str, object]:
    return {
        "id": removal.id,
        "visitor": removal.visitor,
        "network": str(removal.network) if removal.network else None,
        "until": iso(removal.until),
        "actor": removal.actor,
        "created_at": iso(removal.created_at),
    }
