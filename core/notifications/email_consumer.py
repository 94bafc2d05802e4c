"""The consumer that tells buyers by e-mail how their reservation ended (S22)."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from core.messaging.reservation_message import EventType, ReservationMessage
from core.notifications.mailer import Mailer
from core.notifications.messages import TICKETS, TOLD, MoneyBack, compose, is_mailed
from core.payments.gateway import Receipt

if TYPE_CHECKING:
    import asyncpg


# In the transaction of the mark: an e-mail that did not leave is not counted.
_FAILURE = """
INSERT INTO failure_mails AS f (event_id, address, sent_at) VALUES ($1, $2, now())
ON CONFLICT (event_id, address) DO UPDATE SET sent_at = now() WHERE f.sent_at <= now() - interval '1 hour'
RETURNING 1
"""
# The refund that was written with this event: both are of one statement, and have its time.
_BACK = """
SELECT coalesce(f.amount, a.amount) AS amount, f.fee FROM refunds f JOIN payment_attempts a ON a.order_no = f.order_no
WHERE f.reservation_id = $1 AND f.kind = 'refund' AND date_trunc('milliseconds', f.created_at) = $2
"""
# The performance; and the buyer's address and ticket, which may have been corrected while this waited to be sent.
_NOW = """
SELECT starts_at, time_zone, venue, e.address, description,
       (SELECT '/pictures/' || digest || '.jpg' FROM event_pictures WHERE event_id = e.id ORDER BY width LIMIT 1)
       AS picture, r.email AS email, r.ticket_code
FROM events e LEFT JOIN reservations r ON r.id = $2 WHERE e.id = $1
"""
_PAID = """
SELECT method, approval_number, receipt_url AS url, approved_at FROM payment_attempts
WHERE reservation_id = $1 AND state = 'APPROVED' AND provider <> 'none'
"""


class EmailConsumer:
    """One e-mail for each confirmed, failed or cancelled reservation, and for seats or money given back; none for what
    the page has just told.

    The mark in `processed_events` is inserted, the e-mail handed over, and the mark committed, in this
    order: an e-mail is never lost, and is repeated only when the process dies between the server's "250
    OK" and the commit. Such a repetition has the same Message-ID. A second process with the same event
    waits at the mark until the first has committed, so that two never send at the same time.
    """

    name: Final = "email"
    batch: Final = 1
    # A process that is killed repeats what the mail server had taken and PostgreSQL had not noted: one e-mail at most.
    concurrency: Final = 1
    types: Final = TOLD

    def __init__(self, *, mailer: Mailer, base_url: str, sender: str, reply_to: str = "") -> None:
        self._mailer = mailer
        self._reply_to = reply_to
        self._base_url = base_url.rstrip("/")
        self._sender = sender

    async def handle(self, connection: asyncpg.Connection, events: Sequence[ReservationMessage]) -> None:
        for event in events:
            if not is_mailed(event) or not await _is_due(connection, event):
                continue
            row = await connection.fetchrow(_NOW, event.event_id, event.reservation_id)
            performance = dict(row) if row else {}
            email, code = performance.pop("email", None), performance.pop("ticket_code", None)
            if email is not None:
                event = dataclasses.replace(event, email=email, ticket_code=code if event.ticket_code else None)
            back = await connection.fetchrow(_BACK, event.reservation_id, event.at)
            paid = None
            if event.type in TICKETS:
                paid = await connection.fetchrow(_PAID, event.reservation_id)
            # In a thread: it is a few milliseconds of work, and live channels share the loop.
            message = await asyncio.to_thread(
                compose,
                event,
                base_url=self._base_url,
                sender=self._sender,
                reply_to=self._reply_to,
                **performance,
                back=MoneyBack(back["amount"], back["fee"]) if back is not None else None,
                paid=Receipt(**paid) if paid is not None else None,
            )
            await self._mailer.send(message)


async def _is_due(connection: asyncpg.Connection, event: ReservationMessage) -> bool:
    """One failure e-mail an address, event and hour: nobody fills a stranger's box by typing their address in."""
    if event.type != EventType.FAILED:
        return True
    return await connection.fetchval(_FAILURE, event.event_id, event.email.lower()) is not None
