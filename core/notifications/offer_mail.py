"""What the e-mail about seats on offer says: which, until when, and where they can be taken (F10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core import languages
from core.notifications.letter import Head, Letter
from core.notifications.messages import mailbox, recipient
from core.notifications.templates import rendered


@dataclass(frozen=True, slots=True)
class OfferMail:
    """`seats`: (zone, row, number, category) of each; `amount` in the currency's minor unit; `until` and `starts_at`
    are told in the event's `time_zone`; `url`: where they are taken, with its secret.
    """

    offer: UUID
    event_name: str
    time_zone: str
    email: str
    language: str
    seats: Sequence[tuple[str, str, str, str]]
    amount: int
    currency: str
    made_at: datetime
    until: datetime
    url: str
    starts_at: datetime | None = None
    venue: str = ""
    address: str = ""


def compose_offer(mail: OfferMail, *, sender: str, reply_to: str = "") -> Letter:
    """`sender` and `reply_to` are `Name <address>`. Sent twice it has the same Message-ID. Raises MailRefused."""
    language = mail.language if mail.language in languages.LANGUAGES else languages.DEFAULT

    def say(key: str, **values: object) -> str:
        return languages.text(language, f"mail.{key}", **values)

    from_ = mailbox(sender)
    head = Head(
        sender=from_,
        recipient=recipient(mail.email),
        reply_to=mailbox(reply_to) if reply_to else None,
        subject=say("offer.subject", event=mail.event_name),
        at=mail.made_at,
        message_id=f"offer-{mail.offer}@{from_.domain}",
    )
    values = {
        "say": say,
        "language": language,
        "event": mail,
        "seats": [
            f"{languages.seat_name(language, zone, row, number)} ({category})"
            for zone, row, number, category in mail.seats
        ],
        "amount": languages.money(language, mail.amount, mail.currency),
        "until": languages.moment(language, mail.until, mail.time_zone),
        "url": mail.url,
        "starts_at": languages.moment(language, mail.starts_at, mail.time_zone) if mail.starts_at else None,
        "place": [line for line in (mail.venue, mail.address) if line],
        "picture_url": None,
    }
    text, html = rendered("offer", values)
    return head.letter(language=language, text=text, html=html)
