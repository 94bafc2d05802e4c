"""`onsale migrate`: brings the schema of the database up to date, and does nothing else."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from core.embedded import engines
from core.settings import Settings


class PaymentsWere(StrEnum):
    """Whom the payments of the old kind were made with."""

    SIMULATOR = "simulator"
    LIVE = "live"


def migrate(
    payments_were: Annotated[
        PaymentsWere | None,
        typer.Option(
            help="Whom the payments that there are were made with. Asked for once, when there are any from before the "
            "order was made first: it decides where their refunds go.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Bring the schema of the database up to date. Safe to call twice, and while nothing else runs."""
    from core.schema_postgres import migrate as bring_up_to_date

    settings = Settings.load()
    with engines(settings) as started:
        asyncio.run(bring_up_to_date(started.database_url, payments_were=payments_were))
    print("the schema is up to date")
