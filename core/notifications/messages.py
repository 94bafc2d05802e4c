"""What the e-mails say: one for a confirmed, a failed, a cancelled and a partly refunded reservation, in the buyer's
language.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Final, Protocol
from urllib.parse import urlencode

from markupsafe import Markup

from core import languages
from core.messaging.reservation_message import EventType, ReservationMessage, SeatChange
from core.notifications.address import NotMailable, mail_address
from core.notifications.letter import Head, Letter, Picture
from core.notifications.mailer import MailRefused
from core.notifications.templates import rendered
from core.notifications.ticket_qr import qr_png
from core.payments.gateway import Receipt
from core.seat_words import is_in_words
from core.venue.description import as_html, as_text

_TEMPLATES: Final = {
    EventType.CONFIRMED: "confirmed",
    EventType.FAILED: "failed",
    EventType.CANCELLED: "cancelled",
    EventType.REFUNDED: "refunded",
    EventType.MAIL_AGAIN: "confirmed",
}

#: The types of event that there is an e-mail about, and those whose e-mail is the ticket.
TOLD: Final = frozenset(_TEMPLATES)
TICKETS: Final = frozenset({EventType.CONFIRMED, EventType.MAIL_AGAIN})

#: Ends that the buyer is looking at when they happen: the page tells them, and no e-mail.
_SHOWN: Final = frozenset({"declined"})


@dataclass(frozen=True, slots=True)
class MoneyBack:
    """What goes back with this event, and the fee that is kept of it, in minor units."""

    amount: int
    fee: int


def is_mailed(event: ReservationMessage) -> bool:
    """False for what the page has just told: a card that was declined, seats given back before they were paid for."""
    if event.type == EventType.FAILED:
        return event.reason not in _SHOWN
    return event.type != EventType.CANCELLED or event.ticket_code is not None or event.reason != "cancelled_by_buyer"


class _Say(Protocol):
    """A text of the catalogue by its key below `mail.`, in the e-mail's language."""

    def __call__(self, key: str, **values: object) -> str: ...


def compose(
    event: ReservationMessage,
    *,
    base_url: str,
    sender: str,
    reply_to: str = "",
    starts_at: datetime | None = None,
    time_zone: str = "UTC",
    venue: str = "",
    address: str = "",
    description: str = "",
    picture: str | None = None,
    back: MoneyBack | None = None,
    paid: Receipt | None = None,
) -> Letter:
    """The e-mail about an event of a type in `TOLD`.

    `sender` and `reply_to` are `Name <address>`; `starts_at` is when the doors matter, where that is known, told in
    the event's `time_zone`; `venue`, `address` and `description` (Markdown) as the event has them; `picture`: the path
    of the event's picture; `back`: the money that goes back with it; `paid`: the payment of a confirmed one.
    Raises MailRefused when the buyer's address cannot stand in a header (it was checked at checkout; this is
    the second lock on that door).
    """
    head = addressed(event, sender=sender, reply_to=reply_to)
    template, language, say = _TEMPLATES[EventType(event.type)], _language(event), _say(event)
    ticket = f"{base_url}/reservations/{event.reservation_id}/ticket?{urlencode({'code': event.ticket_code or ''})}"
    image_id = f"{event.uid}.qr@{head.sender.domain}"
    values = {
        "say": say,
        "language": language,
        "event": event,
        "seats": [_seat(say, language, seat) for seat in event.seats],
        "amount": languages.money(language, event.amount, event.currency),
        "starts_at": languages.moment(language, starts_at, time_zone) if starts_at else None,
        "why": languages.reason(language, event.reason),
        "back": languages.money(language, back.amount, event.currency) if back and back.amount else None,
        "fee": languages.money(language, back.fee, event.currency) if back and back.fee else None,
        "paid": _paid(say, language, paid, time_zone) if paid else [],
        "receipt_url": paid.address if paid else None,
        "ticket_url": ticket,
        "sale_url": f"{base_url}/events/{event.event}",
        "image": f"cid:{image_id}",
        "place": [line for line in (venue, address) if line],
        "about": Markup(as_html(description)),  # noqa: S704 - sanitised
        "about_text": as_text(description),
        "picture_url": f"{base_url}{picture}" if picture else None,
        "calendar_url": ticket.replace("/ticket?", "/calendar?") if starts_at else None,
    }
    text, html = rendered(template, values)
    pictures = []
    if event.type in TICKETS and event.ticket_code:
        pictures.append(Picture(image_id, "ticket.png", qr_png(ticket_text(event.ticket_code))))
    return head.letter(language=language, text=text, html=html, pictures=pictures)


def addressed(event: ReservationMessage, *, sender: str, reply_to: str = "") -> Head:
    """What the e-mail's headers say. Raises MailRefused."""
    from_ = mailbox(sender)
    return Head(
        sender=from_,
        recipient=recipient(event.email),
        reply_to=mailbox(reply_to) if reply_to else None,
        subject=_say(event)(f"{_TEMPLATES[EventType(event.type)]}.subject", event=event.event_name),
        at=event.at,
        message_id=f"{event.uid}@{from_.domain}",
    )


def _language(event: ReservationMessage) -> str:
    return event.language if event.language in languages.LANGUAGES else languages.DEFAULT


def _say(event: ReservationMessage) -> _Say:
    language = _language(event)

    def say(key: str, **values: object) -> str:
        return languages.text(language, f"mail.{key}", **values)

    return say


def ticket_text(code: str) -> str:
    """What the QR code on a ticket says."""
    return code


@functools.lru_cache(maxsize=8)
def mailbox(text: str) -> Address:
    """`Name <address>`, as it goes out. Raises NotMailable."""
    name, address = parseaddr(text)
    return Address(display_name=name, addr_spec=mail_address(address).mailed)


def recipient(email: str) -> Address:
    """A buyer, as the e-mail goes out. Raises MailRefused."""
    try:
        name, _, domain = mail_address(email).mailed.rpartition("@")
    except NotMailable as error:
        raise MailRefused(f"not an e-mail address: {error}") from error
    # In two parts: as one it is parsed again.
    return Address(username=name, domain=domain)


def _paid(say: _Say, language: str, paid: Receipt, zone: str) -> list[str]:
    lines = []
    if paid.method:
        lines.append(say("confirmed.method", method=paid.method))
    if paid.approval_number:
        lines.append(say("confirmed.approval", number=paid.approval_number))
    if paid.approved_at:
        lines.append(say("confirmed.approved_at", at=languages.moment(language, paid.approved_at, zone)))
    return lines


def _seat(say: _Say, language: str, seat: SeatChange) -> str:
    if is_in_words(seat.row) or is_in_words(seat.number):
        return f"{languages.seat_name(language, seat.zone, seat.row, seat.number)} ({seat.category})"
    parts: Sequence[str] = [
        seat.zone,
        say("row", row=seat.row) if seat.row else "",
        say("seat", number=seat.number) if seat.number else "",
    ]
    place = " · ".join(part for part in parts if part) or say("seat", number=seat.ordinal + 1)
    return f"{place} ({seat.category})"
