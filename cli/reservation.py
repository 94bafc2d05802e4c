"""`onsale reservation`: what is done for one buyer. Works on PostgreSQL directly, whether a server runs or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from cli.audit import operator
from cli.runtime import with_runtime

if TYPE_CHECKING:
    from core.booking.mails_again_postgres import MailAgain
    from core.runtime import Runtime

app = typer.Typer(help="What is done for one buyer.", no_args_is_help=True)


@app.callback()
def _of_one_reservation() -> None:
    """What is done for one buyer."""


@app.command()
def mail(
    id: Annotated[str, typer.Argument(help="The reservation's number.", show_default=False)],
    email: Annotated[
        str | None, typer.Option(help="A corrected address, used from then on; the ticket gets a new code.")
    ] = None,
) -> None:
    """Send a ticket's e-mail again. The server or a worker sends it; without one it leaves when one starts."""
    try:
        reservation = UUID(id)
    except ValueError:
        raise typer.BadParameter(f"{id!r} is no reservation's number", param_hint="ID") from None

    async def work(runtime: Runtime) -> MailAgain:
        from core.notifications.address import NotMailable, mail_address

        try:
            address = mail_address(email).shown if email is not None else None
        except NotMailable as error:
            raise typer.BadParameter(str(error), param_hint="--email") from None
        return await runtime.mails.send(reservation, visitor=None, by=operator(), address=address)

    made = with_runtime(work)
    print(f"the ticket is on its way to {made.email}" + (", with a new code" if made.corrected else ""))
