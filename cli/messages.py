"""`onsale messages`: what the consumers gave up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from cli.audit import note
from cli.runtime import with_runtime
from core.clock import iso
from core.errors import NotFound

if TYPE_CHECKING:
    from core.messaging.dead_letters_postgres import DeadLetter
    from core.runtime import Runtime

app = typer.Typer(help="Messages through outbox and Kafka: what consumers gave up.", no_args_is_help=True)
dead = typer.Typer(help="Dead letters: messages that a consumer gave up.", no_args_is_help=True)
app.add_typer(dead, name="dead")


@app.callback()
def _group() -> None:
    """Keeps `dead` a group although it is the only one."""


@dead.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 100,
    retried: Annotated[bool, typer.Option("--retried", help="Also those sent again or discarded already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the dead letters, with the reason of each."""

    async def work(runtime: Runtime) -> Sequence[DeadLetter]:
        return await runtime.pipeline.dead_letters.list(limit=limit, retried=retried)

    letters = with_runtime(work, writes=False)
    if as_json:
        print(orjson.dumps([_plain(letter) for letter in letters], option=orjson.OPT_INDENT_2).decode())
        return
    for letter in letters:
        again = f", sent again {iso(letter.retried_at)}" if letter.retried_at else ""
        again += f", discarded {iso(letter.discarded_at)}" if letter.discarded_at else ""
        print(
            f"{letter.id}  {iso(letter.failed_at)}  {letter.consumer}  {letter.type or 'unreadable'}  "
            f"reservation {letter.reservation_id or '-'}  {letter.attempts} tries{again}: {letter.error}"
        )
    print(f"{len(letters)} dead letter{'' if len(letters) == 1 else 's'}")


@dead.command("retry")
def retry_letters(
    ids: Annotated[list[int] | None, typer.Argument(help="Ids from `list`; none: all.", show_default=False)] = None,
) -> None:
    """Send dead letters to their consumer again, through the outbox. Its effect still happens once."""

    async def work(runtime: Runtime) -> int:
        retried = await runtime.pipeline.dead_letters.retry(ids or None)
        await note(runtime.database, "dead_letters.retry", "-", ids=ids or None, retried=retried)
        return retried

    count = with_runtime(work)
    print(f"{count} sent again")
    _require_all(ids or [], count)


@dead.command("discard")
def discard_letters(ids: Annotated[list[int], typer.Argument(help="Ids from `list`.", show_default=False)]) -> None:
    """Let go of dead letters that can never be delivered (an address that does not exist): nobody sends them again."""

    async def work(runtime: Runtime) -> int:
        discarded = await runtime.pipeline.dead_letters.discard(ids)
        await note(runtime.database, "dead_letters.discard", "-", ids=ids, discarded=discarded)
        return discarded

    count = with_runtime(work)
    print(f"{count} discarded")
    _require_all(ids, count)


def _require_all(ids: list[int], done: int) -> None:
    """Raises NotFound when fewer than these were done."""
    missing = len(set(ids)) - done if ids else 0
    if missing:
        looked = "`onsale messages dead list --retried`"
        raise NotFound(f"{missing} of them are not there, or were sent again or discarded before: {looked}")


def _plain(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "consumer": letter.consumer,
        "source": letter.source,
        "type": letter.type,
        "event_uid": letter.event_uid,
        "reservation": letter.reservation_id,
        "error": letter.error,
        "attempts": letter.attempts,
        "failed_at": letter.failed_at,
        "retried_at": letter.retried_at,
        "discarded_at": letter.discarded_at,
    }
