"""The consumer that tells buyers by e-mail how their reservation ended (S22)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from core.messaging.reservation_message import ReservationMessage
from core.notifications.mailer import Mailer
from core.notifications.messages import TOLD, compose

if TYPE_CHECKING:
    import asyncpg


class EmailConsumer:
    """One e-mail for each confirmed, failed or cancelled reservation.

    The mark in `processed_events` is inserted, the e-mail handed over, and the mark committed, in this
    order: an e-mail is never lost, and is repeated only when the process dies between the server's "250
    OK" and the commit. Such a repetition has the same Message-ID. A second process with the same event
    waits at the mark until the first has committed, so that two never send at the same time.
    """

    name: Final = "email"
    batch: Final = 1
    # Each holds a database connection while a mail server takes its time.
    concurrency: Final = 2
    types: Final = TOLD

    def __init__(self, *, mailer: Mailer, base_url: str, sender: str) -> None:
        self._mailer = mailer
        self._base_url = base_url.rstrip("/")
        self._sender = sender

    async def handle(self, connection: asyncpg.Connection, events: Sequence[ReservationMessage]) -> None:
        for event in events:
            row = await connection.fetchrow("SELECT starts_at, time_zone FROM events WHERE id = $1", event.event_id)
            performance = dict(row) if row else {}
            # In a thread: it is a few milliseconds of work, and live channels share the loop.
            message = await asyncio.to_thread(
                compose, event, base_url=self._base_url, sender=self._sender, **performance
            )
            await self._mailer.send(message)
