"""E-mails leave by a real SMTP server or as files (S22)."""

from __future__ import annotations

import asyncio
import email
import email.policy
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from core.errors import StartupError
from core.messaging.reservation_message import parse
from core.notifications.email_files import FileMailer
from core.notifications.email_smtp import MailServer, SmtpMailer
from core.notifications.letter import Head, Letter
from core.notifications.mailer import MailAway, MailRefused
from core.notifications.messages import compose
from tests.outbox_rows import payload


class Inbox:
    """What the server got; `answer` is its reply to DATA, `of_sender` to MAIL, `of_recipient` to RCPT."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.content: list[bytes] = []
        self.recipients: list[str] = []
        self.answer = self.of_sender = self.of_recipient = "250 OK"
        self.connections = 0
        self.logins: list[str] = []

    async def handle_MAIL(self, server: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        envelope.mail_from = address
        return self.of_sender

    async def handle_RCPT(self, server: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if address.startswith("gone@"):
            return "550 no such mailbox"
        if not self.of_recipient.startswith("250"):
            return self.of_recipient
        envelope.rcpt_tos.append(address)
        self.recipients.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            content = envelope.original_content
            assert content is not None
            self.content.append(content)
            self.messages.append(email.message_from_bytes(content, policy=email.policy.default))
        return self.answer

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        self.logins.append(f"{data.login.decode()}:{data.password.decode()}")
        return AuthResult(success=data.password == b"p@ss", handled=False)


@asynccontextmanager
async def mail_server(inbox: Inbox, port: int = 0, **options: Any) -> AsyncIterator[int]:
    def protocol() -> SMTP:
        inbox.connections += 1
        return SMTP(inbox, enable_SMTPUTF8=False, **options)

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def message(to: str = "kim@example.org", message_id: str = "") -> Letter:
    head = Head(
        sender=Address("Onsale", addr_spec="tickets@onsale.example"),
        recipient=Address(addr_spec=to),
        reply_to=None,
        subject="예매 완료",
        at=datetime.now(UTC),
        message_id=message_id or f"{uuid.uuid4()}@onsale.example",
    )
    return head.letter(language="ko", text="좌석", html="<p>좌석</p>")


async def test_an_e_mail_arrives_and_connections_are_used_again() -> None:
    inbox = Inbox()
    async with mail_server(inbox) as port:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{port}", connections=3)
        sent = [message() for _ in range(20)]
        await asyncio.gather(*(mailer.send(each) for each in sent))
        await mailer.close()
    assert {each["Message-ID"] for each in inbox.messages} == {f"<{each.message_id}>" for each in sent}
    assert inbox.messages[0]["Subject"] == "예매 완료"
    body = inbox.messages[0].get_body(("plain",))
    assert isinstance(body, EmailMessage)
    assert body.get_content().strip() == "좌석"
    assert inbox.connections <= 3


async def test_what_leaves_is_ascii_and_says_what_was_meant() -> None:
    """To an IDN domain by its ASCII name, with the subject as it was typed, to a server without any extension."""
    inbox = Inbox()
    body = payload(uuid.uuid4(), email="kim@bücher.example", event_name="콘서트\u30002026 👨\u200d👩\u200d👧 l'été")
    mail = compose(
        parse(uuid.uuid4(), "reservation.confirmed", body),
        base_url="https://hall.test",
        sender="온세일 <tickets@hall.test>",
        reply_to="Box office <box@bücher.example>",
    )
    async with mail_server(inbox) as port:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{port}")
        await mailer.send(mail)
        await mailer.close()
    assert inbox.recipients == ["kim@xn--bcher-kva.example"]
    (got,) = inbox.messages
    assert got["Subject"] == "Your tickets for 콘서트\u30002026 👨\u200d👩\u200d👧 l'été"
    assert got["From"].addresses[0].display_name == "온세일"
    assert got["Reply-To"] == "Box office <box@xn--bcher-kva.example>"
    assert got["To"] == "kim@xn--bcher-kva.example"
    assert inbox.content[0].isascii()


async def test_a_password_is_used() -> None:
    inbox = Inbox()
    options: dict[str, Any] = {"authenticator": inbox.login, "auth_require_tls": False, "auth_required": True}
    async with mail_server(inbox, **options) as port:
        mailer = SmtpMailer(f"smtp://user:p%40ss@127.0.0.1:{port}")
        await mailer.send(message())
        await mailer.close()
        wrong = SmtpMailer(f"smtp://user:no@127.0.0.1:{port}")
        with pytest.raises(MailAway):
            await wrong.send(message())
    assert inbox.logins[0] == "user:p@ss"
    assert len(inbox.messages) == 1


async def test_a_refused_recipient_is_the_e_mails_fault_and_the_next_one_passes() -> None:
    inbox = Inbox()
    async with mail_server(inbox) as port:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{port}")
        with pytest.raises(MailRefused):
            await mailer.send(message("gone@example.org"))
        inbox.answer = "552 too large"
        with pytest.raises(MailRefused, match="552"):
            await mailer.send(message())
        inbox.answer = "250 OK"
        await mailer.send(message())
        await mailer.close()
    assert len(inbox.messages) == 1


async def test_a_server_that_is_away_is_not_the_e_mails_fault() -> None:
    inbox = Inbox()
    async with mail_server(inbox) as port:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{port}")
        await mailer.send(message())
        inbox.answer = "421 closing"
        with pytest.raises(MailAway):
            await mailer.send(message())
        await mailer.close()
    with pytest.raises(MailAway):
        await mailer.send(message())
    # Back on the same port, it takes what it missed; the broken connections are forgotten.
    inbox.answer = "250 OK"
    async with mail_server(inbox, port):
        await mailer.send(message())
        await mailer.close()
    assert len(inbox.messages) == 2


@pytest.mark.parametrize(
    ("answered", "said", "kind"),
    [
        ("of_sender", "550 5.7.1 not your address", MailAway),
        ("of_sender", "454 4.7.0 Throttling failure: Maximum sending rate exceeded", MailAway),
        ("answer", "454 Throttling failure", MailAway),
        ("answer", "452 insufficient system storage", MailAway),
        ("of_recipient", "451 4.3.0 queue file write error", MailAway),
        ("of_recipient", "452 4.3.1 insufficient system storage", MailAway),
        ("of_recipient", "454 4.7.0 Throttling failure", MailAway),
        ("answer", "451 4.4.2 the network is away", MailAway),
        ("of_recipient", "451 4.4.3 the domain's name servers are away", MailRefused),
        ("of_recipient", "451 4.4.4 recipient domain has no mail server", MailRefused),
        ("of_recipient", "451 4.4.62 wrong region", MailRefused),
        ("of_recipient", "451 4.30.1 nobody's subject", MailRefused),
        ("of_recipient", "452 mailbox full", MailRefused),
        ("of_recipient", "452 4.2.2 mailbox over quota", MailRefused),
        ("of_recipient", "450 4.2.0 greylisted", MailRefused),
        ("answer", "554 5.3.4 too large", MailRefused),
        ("answer", "451 4.7.1 looks like spam", MailRefused),
    ],
)
async def test_what_all_e_mails_would_meet_is_no_e_mails_fault(answered: str, said: str, kind: type[Exception]) -> None:
    """S22: a server that slows a rush of confirmations down, or does not know our sender, makes no dead letters."""
    inbox = Inbox()
    setattr(inbox, answered, said)
    async with mail_server(inbox) as port:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{port}")
        with pytest.raises(kind, match=said[4:]):
            await mailer.send(message())
        setattr(inbox, answered, "250 OK")
        await mailer.send(message())
        await mailer.close()
    assert len(inbox.messages) == 1


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("smtp://mail", "mail", 25, False),
        ("smtp://u:p@mail", "mail", 587, False),
        ("smtps://u:p@mail", "mail", 465, True),
        ("smtp://mail:2525", "mail", 2525, False),
    ],
)
def test_addresses(url: str, host: str, port: int, tls: bool) -> None:
    server = MailServer.parse(url)
    assert (server.host, server.port, server.tls) == (host, port, tls)
    assert "p@" not in repr(server)


@pytest.mark.parametrize("url", ["mail:25", "http://mail", "smtp://", "smtp://mail:99999"])
def test_a_wrong_address_is_one_clear_line_without_the_password(url: str) -> None:
    with pytest.raises(StartupError, match="SMTP_URL"):
        MailServer.parse(url)


async def test_files_are_complete_and_the_same_event_replaces_its_file(tmp_path: Path) -> None:
    mailer = FileMailer(tmp_path / "mail")
    one = message()
    await asyncio.gather(*(mailer.send(one) for _ in range(5)))
    (file,) = (tmp_path / "mail").iterdir()
    assert file.suffix == ".eml"
    assert email.message_from_bytes(file.read_bytes(), policy=email.policy.default)["Subject"] == "예매 완료"


async def test_a_batch_of_files_is_whole_or_told(tmp_path: Path) -> None:
    """Each its own file; what cannot be written leaves nothing half done behind."""
    mailer = FileMailer(tmp_path / "mail")
    sent = [message() for _ in range(40)]
    await mailer.send(*sent)
    found = {file.name: file.read_bytes() for file in (tmp_path / "mail").iterdir()}
    assert found == {f"{each.message_id.partition('@')[0]}.eml": each.content for each in sent}
    # A folder of this name is in the way of the second.
    blocked = message()
    (tmp_path / "mail" / f"{blocked.message_id.partition('@')[0]}.eml" / "x").mkdir(parents=True)
    first = message()
    with pytest.raises(MailAway):
        await mailer.send(first, blocked, message())
    left = {file.name for file in (tmp_path / "mail").iterdir() if file.is_file()} - set(found)
    assert left == {f"{first.message_id.partition('@')[0]}.eml"}


async def test_a_message_id_cannot_choose_another_folder(tmp_path: Path) -> None:
    one = message(message_id="../../escape@x")
    await FileMailer(tmp_path / "mail").send(one)
    assert [file.parent for file in tmp_path.rglob("*.eml")] == [tmp_path / "mail"]


async def test_a_folder_that_cannot_be_written_is_not_the_e_mails_fault(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file is in the way")
    with pytest.raises(MailAway):
        await FileMailer(tmp_path / "mail").send(message())
