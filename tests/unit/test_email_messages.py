"""The e-mails (S22): their words in both languages, their parts, and headers that cannot be injected."""

from __future__ import annotations

import re
import secrets
import uuid
from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from core import languages
from core.booking.reservation import Reason
from core.messaging.reservation_message import EventType, parse
from core.notifications.letter import Head, Picture
from core.notifications.mail_headers import header_line
from core.notifications.mailer import MailRefused
from core.notifications.messages import MoneyBack, compose, is_mailed
from core.notifications.ticket_qr import qr_png
from core.payments.gateway import Receipt
from tests.outbox_rows import payload
from tests.qr_reader import modules_of_png, read_qr

RESERVATION = uuid.UUID("7d9c8c0e-0000-4000-8000-000000000001")
AT = datetime(2026, 5, 1, 10, 30, tzinfo=UTC)
UID = uuid.UUID("11111111-0000-4000-8000-000000000002")


def email(
    type_: EventType = EventType.CONFIRMED,
    back: MoneyBack | None = None,
    paid: Receipt | None = None,
    about: dict[str, str] | None = None,
    **fields: object,
) -> EmailMessage:
    event = parse(UID, type_, payload(RESERVATION, **fields))
    letter = compose(
        event,
        base_url="https://sale.example",
        sender="Onsale <tickets@onsale.example>",
        starts_at=datetime(2026, 5, 1, 19, 30, tzinfo=UTC),
        back=back,
        paid=paid,
        **(about or {}),
    )
    return read(letter.content)


def read(content: bytes) -> EmailMessage:
    """As a mail program has it, which finds no fault in it."""
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    assert not any(each.defects for each in message.walk())
    return message


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert isinstance(body, EmailMessage)
    return str(body.get_content()).replace("\r\n", "\n")


def test_a_confirmation_says_where_it_is_and_what_it_is() -> None:
    """T9: in the text and in the page of the e-mail, each with what the other may not have."""
    about = {
        "venue": "House <1>",
        "address": "Street 1, Berlin",
        "description": "Doors **19:00**, <b>no</b> [map](https://m.example)",
        "picture": "/pictures/0f.jpg",
    }
    message = email(about=about)
    text, html = part(message, "plain"), part(message, "html")
    for words in ("House <1>", "Street 1, Berlin", "Doors 19:00, <b>no</b> map (https://m.example)"):
        assert words in text
    assert "House &lt;1&gt;" in html
    assert 'Doors <strong>19:00</strong>, &lt;b&gt;no&lt;/b&gt; <a href="https://m.example"' in html
    assert 'src="https://sale.example/pictures/0f.jpg"' in html
    assert f"https://sale.example/reservations/{RESERVATION}/calendar?code=T-1234567890" in text
    bare = email()
    assert "About this event" not in part(bare, "plain")
    assert "/pictures/" not in part(bare, "html")


@pytest.mark.parametrize("type_", [EventType.CANCELLED, EventType.REFUNDED, EventType.FAILED])
def test_an_e_mail_about_money_says_which_evening_it_is_about(type_: EventType) -> None:
    """T9: whoever has tickets for two evenings reads which one it is."""
    fields: dict[str, Any] = {"status": "CANCELLED", "reason": "event_cancelled"}
    message = email(type_, about={"venue": "House <1>", "address": "Street 1, Berlin"}, **fields)
    text, html = part(message, "plain"), part(message, "html")
    assert "19:30" in text
    assert "House <1>\nStreet 1, Berlin\n" in text
    assert "House &lt;1&gt;<br>Street 1, Berlin" in html
    bare = part(email(type_, **fields), "plain")
    assert "\n\n\n\n" not in bare


def test_a_seat_is_called_what_its_plan_calls_it() -> None:
    bought = payload(RESERVATION)["seats"][0]
    seats = [bought | {"category": "A", "zone": "Main", "row": "Tisch 5", "number": "Stuhl 1"}]
    assert "Main - Tisch 5 - Stuhl 1 (A)" in part(email(seats=seats), "plain")


def test_a_confirmation_says_what_was_bought_and_carries_the_ticket() -> None:
    message = email()
    text, html = part(message, "plain"), part(message, "html")
    assert message["Subject"] == "Your tickets for An evening"
    assert message["To"] == "kim@example.org"
    assert message["From"] == "Onsale <tickets@onsale.example>"
    seats = ("Parkett · row 3 · seat 12 (R)", "Parkett · row 3 · seat 13 (R)")
    for words in (*seats, "₩30,000", "T-1234567890", "1 May 2026"):
        assert words in text
        assert words in html
    assert f"https://sale.example/reservations/{RESERVATION}/ticket?code=T-1234567890" in text
    (image,) = [each for each in message.walk() if each.get_content_type() == "image/png"]
    assert f'src="cid:{image["Content-ID"].strip("<>")}"' in html
    assert image.get_payload(decode=True) == qr_png("T-1234567890")


@pytest.mark.parametrize(("language", "words"), [("en", "Approval number"), ("ko", "승인 번호")])
def test_a_confirmation_carries_the_receipt(language: str, words: str) -> None:
    """P8: method, approval number, approved at (by the event's clocks), and the provider's receipt."""
    at = datetime(2026, 5, 1, 10, 30, tzinfo=UTC)
    message = email(language=language, paid=Receipt("카드 <b>", "00012345", "https://receipt.example/1?a=1&b=2", at))
    text, html = part(message, "plain"), part(message, "html")
    assert f"{words}: 00012345" in text
    assert f"{words}: 00012345" in html
    assert "카드 <b>" in text
    assert "카드 &lt;b&gt;" in html
    assert "10:30" in text
    assert "https://receipt.example/1?a=1&b=2" in text
    assert 'href="https://receipt.example/1?a=1&amp;b=2"' in html
    for url in (None, "", "javascript:alert(1)", "https://[", "receipt"):
        said = part(email(paid=Receipt("card", None, url, None)), "html")
        assert "Receipt" not in said
        assert "Approval" not in said


@pytest.mark.parametrize(
    "code",
    ["zR6mT2cEw8yVq0aXbL5n_g", "----------a-----------", "code", "18jFirY_060AFuTq8COxXg", "1234567-ABCDEFG_abcdef"],
)
def test_the_qr_code_says_what_the_ticket_says(code: str) -> None:
    """S22: whichever way the text and the mask were chosen, they stand in the code; with a ticket's length it has 29
    modules a side.
    """
    modules = modules_of_png(qr_png(code))
    assert read_qr(modules) == code
    assert len(modules) == 29 or len(code) < 22


def test_the_qr_code_of_every_ticket_can_be_read() -> None:
    """S22: of random codes as they are made, some have parts that are digits or capitals alone."""
    codes = [secrets.token_urlsafe(16) for _ in range(100)]
    assert [read_qr(modules_of_png(qr_png(code))) for code in codes] == codes


def test_the_same_event_always_gives_the_same_message_id() -> None:
    """A repetition after a crash can be recognised."""
    assert email()["Message-ID"] == email()["Message-ID"] == f"<{UID}@onsale.example>"


def test_korean() -> None:
    message = email(language="ko", event_name="봄밤 음악회")
    text = part(message, "plain")
    assert message["Subject"] == "예매 완료: 봄밤 음악회"
    assert "3열 · 12번" in text
    assert "₩30,000" in text
    assert message["Content-Language"] == "ko"
    assert '<html lang="ko">' in part(message, "html")
    # What goes over the wire is ASCII, and comes back as it was.
    letter = compose(
        parse(UID, EventType.CONFIRMED, payload(RESERVATION, language="ko", event_name="봄밤 음악회")),
        base_url="https://sale.example",
        sender="Onsale <tickets@onsale.example>",
    )
    assert letter.content.isascii()
    assert b"=?utf-8?" in letter.content.split(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "좌석 열 번호 " * 40,
        "mostly plain, with 좌석",
        "x" * 3000,
        ".\n..\n.dot\nFrom here\n--=_onsale-alternative\n--=_onsale-related--\n",
        "one\r\ntwo\rthree\nfour\n\n",
        "  spaces at the end  \n\ttab\t\n=3D = \u2028 \x0b \x00 \xa0",
    ],
)
def test_a_text_comes_back_as_it_was_whatever_it_says(text: str) -> None:
    """Lines of any length and any content, no line of which is longer than a server takes or ends its part."""
    head = Head(Address(addr_spec="a@b.example"), Address(addr_spec="c@d.example"), None, "s", AT, "id@b.example")
    letter = head.letter(
        language="en", text=text, html=f"<p>{text}", pictures=[Picture("q@b", "t.png", b"\x89\n" * 99)]
    )
    assert letter.content.isascii()
    lines = letter.content.split(b"\r\n")
    assert all(len(line) <= 78 and b"\n" not in line and b"\r" not in line for line in lines)
    message = read(letter.content)
    ends = re.sub("\r\n|\r", "\n", text)
    assert part(message, "plain") == f"{ends}\n"
    assert part(message, "html") == f"<p>{ends}\n"
    (image,) = [each for each in message.walk() if each.get_content_type() == "image/png"]
    assert image.get_payload(decode=True) == b"\x89\n" * 99


def test_a_header_has_one_line() -> None:
    with pytest.raises(ValueError, match="several lines"):
        header_line("Message-ID", "<x@y>\r\nBcc: all@example.org")


def test_money_with_a_minor_unit() -> None:
    assert "€15.00" in part(email(amount=1500, currency="EUR"), "plain")


@pytest.mark.parametrize("language", list(languages.LANGUAGES))
@pytest.mark.parametrize("reason", [reason for reason in Reason if not reason.startswith("cancelled")])
def test_each_reason_for_a_failure_has_words_of_its_own(language: str, reason: Reason) -> None:
    message = email(EventType.FAILED, status="FAILED", reason=reason, language=language, ticket_code=None)
    words = languages.reason(language, reason)
    assert words != languages.reason(language, None)
    assert words in part(message, "plain")
    assert [each.get_content_type() for each in message.walk()].count("image/png") == 0


def test_an_unknown_reason_gets_general_words() -> None:
    assert languages.reason("en", None) in part(email(EventType.FAILED, reason="from_the_future"), "plain")


def test_a_cancellation_speaks_of_a_refund_only_when_there_was_a_charge() -> None:
    cancelled: dict[str, Any] = {"status": "CANCELLED", "reason": "cancelled_by_buyer"}
    refunded = part(email(EventType.CANCELLED, back=MoneyBack(27000, 3000), **cancelled), "plain")
    given_up = part(
        email(EventType.CANCELLED, status="CANCELLED", reason="cancelled_by_buyer", ticket_code=None), "plain"
    )
    assert "₩27,000 is refunded" in refunded
    assert "Kept as a fee: ₩3,000." in refunded
    assert "refunded" not in given_up


def test_seats_given_back_are_told_with_what_goes_back() -> None:
    message = email(EventType.REFUNDED, back=MoneyBack(15000, 0))
    text = part(message, "plain")
    assert message["Subject"] == "Money back: An evening"
    assert "₩15,000 is refunded" in text
    assert "Your ticket stays valid for the other seats." in text


@pytest.mark.parametrize(
    ("type_", "fields", "mailed"),
    [
        (EventType.FAILED, {"reason": "declined"}, False),
        (EventType.FAILED, {"reason": "payment_window_ended"}, True),
        (EventType.FAILED, {"reason": "payment_unknown_cancelled"}, True),
        (EventType.CANCELLED, {"reason": "cancelled_by_buyer", "ticket_code": None}, False),
        (EventType.CANCELLED, {"reason": "event_cancelled", "ticket_code": None}, True),
        (EventType.CANCELLED, {"reason": "cancelled_by_buyer"}, True),
        (EventType.CONFIRMED, {}, True),
        (EventType.REFUNDED, {}, True),
    ],
)
def test_what_the_page_has_just_told_gets_no_e_mail(type_: EventType, fields: dict[str, object], mailed: bool) -> None:
    assert is_mailed(parse(UID, type_, payload(RESERVATION, **fields))) == mailed


@pytest.mark.parametrize(
    "address", ["kim@example.org\nBcc: all@example.org", "kim@example.org\r\nX: y", "a@b, c@d", "nobody", ""]
)
def test_an_address_cannot_add_headers_or_recipients(address: str) -> None:
    with pytest.raises(MailRefused):
        email(email=address)


def test_names_are_escaped_and_stay_on_one_line() -> None:
    message = email(event_name="<script>x</script>\r\nBcc: all@example.org")
    assert "<script>" not in part(message, "html")
    assert message["Bcc"] is None
    assert message["Subject"] == "Your tickets for <script>x</script> Bcc: all@example.org"


def test_every_text_is_there_in_every_language() -> None:
    keys = [
        {str(message.id) for message in languages.catalog(code) if str(message.id).startswith("mail.")}
        for code in languages.LANGUAGES
    ]
    assert keys[0]
    assert all(each == keys[0] for each in keys)
