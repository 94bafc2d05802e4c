"""`onsale keys`: the key that signs visitors, places in the queue and tickets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli.audit import note
from cli.runtime import with_runtime

if TYPE_CHECKING:
    from core.runtime import Runtime

app = typer.Typer(help="The key that signs visitors, places in the queue and tickets.", no_args_is_help=True)


@app.callback()
def _keys() -> None:
    """A group, although it has one command so far."""


@app.command()
def adopt() -> None:
    """Make this installation's key (ONSALE_SECRET_KEY, or the data folder's) the one that its database knows.

    For when the old key is lost or known to others. End all processes first: those with the old key go on until they
    are started again. What the old key has signed is worth nothing afterwards: visitors get a new identity, browsers
    join the queue anew, tickets in e-mails do not open.
    """

    async def work(runtime: Runtime) -> bool:
        from core.signing_key_postgres import adopt_signing_key

        changed = await adopt_signing_key(runtime.database, runtime.secret)
        if changed:
            await note(runtime.database, "keys.adopt", "-")
        return changed

    print("the database knows this key from now on" if with_runtime(work) else "the database knows this key already")
