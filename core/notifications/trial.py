"""Whether the e-mail that a purchase promises can be written at all, tried before the money (R10)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from core.errors import InvalidRequest, MailImpossible
from core.messaging.reservation_message import EventType, ReservationMessage, SeatChange
from core.notifications.mailer import MailRefused
from core.notifications.messages import addressed, compose
from core.process.bounded import Bounded
from core.venue.event import Event

log = structlog.get_logger(__name__)

_NOBODY: Final = UUID(int=0)
#: What was tried with good end is remembered for so many sales and languages.
_REMEMBERED: Final = 256


class MailTrial:
    """Writes the confirmation of a purchase as the consumer will, and keeps nothing of it.

    Its body depends on the sale and the language, and is tried once for each; its headers with each address.
    """

    def __init__(self, *, base_url: str, sender: str, reply_to: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._sender = sender
        self._reply_to = reply_to
        self._good: Bounded[tuple[object, ...], None] = Bounded(_REMEMBERED)

    def __call__(self, event: Event, email: str, language: str) -> None:
        """Raises InvalidRequest (the address cannot be mailed) or MailImpossible; nothing was changed."""
        message = _confirmation(event, email, language)
        try:
            addressed(message, sender=self._sender, reply_to=self._reply_to).lines()
            self._try_body(event, message)
        except MailRefused as error:
            raise InvalidRequest(f"email: {error}", errors=[{"at": "email", "message": str(error)}]) from None
        except Exception as error:
            # Whatever it is, it would come back after the buyer has paid.
            log.error("no confirmation can be written", slug=event.slug, language=language, exc_info=error)
            raise MailImpossible() from None

    def _try_body(self, event: Event, message: ReservationMessage) -> None:
        about = (event.venue, event.address, event.description)
        key = (event.id, event.name, event.starts_at, event.time_zone, event.currency, message.language, *about)
        if key in self._good:
            return
        compose(
            message,
            base_url=self._base_url,
            sender=self._sender,
            reply_to=self._reply_to,
            starts_at=event.starts_at,
            time_zone=event.time_zone,
            venue=event.venue,
            address=event.address,
            description=event.description,
            picture=event.pictures[0].path if event.pictures else None,
        )
        self._good.keep(key, None)


def _confirmation(event: Event, email: str, language: str) -> ReservationMessage:
    category, price = next(iter(event.prices.items()), ("", 0))
    return ReservationMessage(
        uid=_NOBODY,
        type=EventType.CONFIRMED,
        reservation_id=_NOBODY,
        event=event.slug,
        event_id=event.id,
        event_name=event.name,
        visitor="",
        status="CONFIRMED",
        email=email,
        amount=price,
        currency=event.currency,
        at=datetime.now(UTC),
        seats=(SeatChange(0, 1, "SOLD", price, category),),
        language=language,
        ticket_code="T-0000000000",
    )
