"""The consumer that tells buyers by e-mail how their reservation ended (S22)."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from core.messaging.reservation_message import EventType, ReservationMessage
from core.notifications.letter import Letter
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
# All of a batch: `asked` has one row an event.
# back: the refund that was written with this event, both of one statement, with its time. The performance; and the
# buyer's address and ticket, which may have been corrected while this waited to be sent. The receipt of a ticket.
_ABOUT = """
SELECT asked.uid, e.starts_at, e.time_zone, e.venue, e.address, e.description, e.id IS NOT NULL AS known,
       (SELECT '/pictures/' || digest || '.jpg' FROM event_pictures WHERE event_id = e.id ORDER BY width LIMIT 1)
       AS picture, r.email AS email, r.ticket_code,
       back.amount AS back_amount, back.fee AS back_fee,
       paid.order_no IS NOT NULL AS paid, paid.method, paid.approval_number, paid.receipt_url, paid.approved_at
FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::timestamptz[], $5::boolean[])
     AS asked (uid, event_id, reservation_id, at, ticket)
LEFT JOIN events e ON e.id = asked.event_id
LEFT JOIN reservations r ON r.id = asked.reservation_id
LEFT JOIN LATERAL (
    SELECT coalesce(f.amount, a.amount) AS amount, f.fee
    FROM refunds f JOIN payment_attempts a ON a.order_no = f.order_no
    WHERE f.reservation_id = asked.reservation_id AND f.kind = 'refund'
      AND date_trunc('milliseconds', f.created_at) = asked.at
    LIMIT 1
) AS back ON true
LEFT JOIN LATERAL (
    SELECT order_no, method, approval_number, receipt_url, approved_at FROM payment_attempts
    WHERE reservation_id = asked.reservation_id AND state = 'APPROVED' AND provider <> 'none' AND asked.ticket
    LIMIT 1
) AS paid ON true
"""


_PERFORMANCE: Final = ("starts_at", "time_zone", "venue", "address", "description", "picture")


class EmailConsumer:
    """One e-mail for each confirmed, failed or cancelled reservation, and for seats or money given back; none for what
    the page has just told.

    The mark in `processed_events` is inserted, the e-mail handed over, and the mark committed, in this
    order: an e-mail is never lost, and is repeated only when the process dies between the server's "250
    OK" and the commit. Such a repetition has the same Message-ID. A second process with the same event
    waits at the mark until the first has committed, so that two never send at the same time.
    """

    name: Final = "email"
    # One transaction after the other: how many e-mails share one is the mailer's to say.
    concurrency: Final = 1
    types: Final = TOLD

    def __init__(self, *, mailer: Mailer, base_url: str, sender: str, reply_to: str = "") -> None:
        self._mailer = mailer
        self._reply_to = reply_to
        self._base_url = base_url.rstrip("/")
        self._sender = sender

    @property
    def batch(self) -> int:
        """Where it is 1, a process that is killed repeats what the mail server had taken and PostgreSQL had not noted:
        one e-mail at most.
        """
        return self._mailer.at_once

    async def handle(self, connection: asyncpg.Connection, events: Sequence[ReservationMessage]) -> None:
        due = [event for event in events if is_mailed(event) and await _is_due(connection, event)]
        if not due:
            return
        rows = await connection.fetch(
            _ABOUT,
            [event.uid for event in due],
            [event.event_id for event in due],
            [event.reservation_id for event in due],
            [event.at for event in due],
            [event.type in TICKETS for event in due],
        )
        about = {row["uid"]: row for row in rows}
        letters = []
        for event in due:
            letters.append(self._letter(event, about[event.uid]))
            # About a millisecond of work, and live channels share the loop. A thread would keep it from them for
            # longer: it gives the interpreter up every 5 ms only.
            await asyncio.sleep(0)
        await self._mailer.send(*letters)

    def _letter(self, event: ReservationMessage, row: Any) -> Letter:
        if row["email"] is not None:
            code = row["ticket_code"] if event.ticket_code else None
            event = dataclasses.replace(event, email=row["email"], ticket_code=code)
        performance = {name: row[name] for name in _PERFORMANCE} if row["known"] else {}
        receipt = Receipt(row["method"], row["approval_number"], row["receipt_url"], row["approved_at"])
        return compose(
            event,
            base_url=self._base_url,
            sender=self._sender,
            reply_to=self._reply_to,
            **performance,
            back=MoneyBack(row["back_amount"], row["back_fee"]) if row["back_amount"] is not None else None,
            paid=receipt if row["paid"] else None,
        )


async def _is_due(connection: asyncpg.Connection, event: ReservationMessage) -> bool:
    """One failure e-mail an address, event and hour: nobody fills a stranger's box by typing their address in."""
    if event.type != EventType.FAILED:
        return True
    return await connection.fetchval(_FAILURE, event.event_id, event.email.lower()) is not None
