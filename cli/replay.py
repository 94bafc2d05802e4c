"""`onsale replay`: does the event log alone lead to what PostgreSQL says? (S17)"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from cli.runtime import with_runtime

if TYPE_CHECKING:
    from core.messaging.replay_kafka import ReplayReport
    from core.runtime import Runtime


def replay(
    event: Annotated[str, typer.Option(help="Compare only this event.", metavar="SLUG", show_default=False)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Rebuild every seat from the Kafka topic alone and compare with PostgreSQL. Changes nothing.

    Exit code 1 when they differ or a message cannot be read; each difference is one line.
    """

    async def work(runtime: Runtime) -> ReplayReport:
        from core.messaging.composition import kafka_server
        from core.messaging.replay_kafka import replay as read_log

        if event:
            await runtime.events.get(event)
        return await read_log(
            server=kafka_server(runtime.settings),
            registry_url=runtime.settings.schema_registry_url,
            database=runtime.database,
            slug=event or None,
        )

    report = with_runtime(work, writes=False)
    if as_json:
        print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    else:
        for line in [*map(str, report.differences), *(f"unreadable: {what}" for what in report.unreadable)]:
            print(line)
        behind = f", {report.behind} waiting in the outbox" if report.behind else ""
        print(
            f"{report.messages} messages read, {report.seats} seats compared{behind}: "
            + (
                "they agree"
                if report.agrees
                else f"{len(report.differences)} differ, {len(report.unreadable)} unreadable"
            )
        )
    if not report.agrees:
        raise typer.Exit(1)
