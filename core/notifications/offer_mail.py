"""What the e-mail about seats on offer says: which, until when, and where they can be taken (F10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from uuid import UUID

import jinja2

from core import languages
from core.notifications.mail_headers import Subject, new_message
from core.notifications.messages import mailbox, recipient

_jinja = jinja2.Environment(
    loader=jinja2.PackageLoader("core.notifications"),
    autoescape=jinja2.select_autoescape(["html"]),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


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


def compose_offer(mail: OfferMail, *, sender: str, reply_to: str = "") -> EmailMessage:
    """`sender` and `reply_to` are `Name <address>`. Sent twice it has the same Message-ID. Raises MailRefused."""
    language = mail.language if mail.language in languages.LANGUAGES else languages.DEFAULT

    def say(key: str, **values: object) -> str:
        return languages.text(language, f"mail.{key}", **values)

    from_ = mailbox(sender)
    message = new_message()
    message["To"] = recipient(mail.email)
    message["From"] = from_
    if reply_to:
        message["Reply-To"] = mailbox(reply_to)
    message["Subject"] = Subject.of(say("offer.subject", event=mail.event_name))
    message["Date"] = format_datetime(mail.made_at)
    message["Message-ID"] = f"<offer-{mail.offer}@{from_.domain}>"
    message["Auto-Submitted"] = "auto-generated"
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
    message.set_content(_jinja.get_template("offer.txt").render(values))
    message.add_alternative(_jinja.get_template("offer.html").render(values), subtype="html")
    message["Content-Language"] = language
    return message
