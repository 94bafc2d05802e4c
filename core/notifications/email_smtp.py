"""E-mails through a mail server, by `SMTP_URL`.

smtp://[user:password@]host[:port]     port 587 with a user, else 25; STARTTLS where the server offers it, and always
                                       before a password is sent
smtps://[user:password@]host[:port]    TLS from the start, port 465
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib

from core.errors import StartupError
from core.notifications.letter import Letter
from core.notifications.mailer import MailAway, MailRefused

_TIMEOUT_SECONDS = 10.0
# After an e-mail's last byte a server may take its time (RFC 5321 section 4.5.3.2.6); who gives up too early sends
# again what was taken.
_TAKING_SECONDS = 60.0
# An enhanced status code of a failure that passes (RFC 3463).
_REASON: Final = re.compile(r"4\.(?P<subject>\d{1,3})\.\d{1,3}")
# Mail servers close idle connections after minutes; a connection this old is asked (NOOP) before it is used.
_TRUSTED_IDLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class MailServer:
    """What an SMTP_URL says."""

    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    tls: bool

    @classmethod
    def parse(cls, url: str) -> MailServer:
        """Raises StartupError with one line; never shows the password."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise StartupError("SMTP_URL is not valid: smtp://user:password@host:port") from None
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise StartupError("SMTP_URL is not valid: it looks like smtp://user:password@host:port or smtps://...")
        username = unquote(parts.username) if parts.username else None
        default = 465 if parts.scheme == "smtps" else 587 if username else 25
        return cls(
            parts.hostname,
            port or default,
            username,
            unquote(parts.password) if parts.password else None,
            parts.scheme == "smtps",
        )


class SmtpMailer:
    """Keeps up to `connections` connections and uses each for one e-mail at a time."""

    at_once: Final = 1

    def __init__(self, url: str, *, connections: int = 4) -> None:
        self._server = MailServer.parse(url)
        self._idle: list[tuple[aiosmtplib.SMTP, float]] = []
        self._free = asyncio.Semaphore(connections)

    async def send(self, *letters: Letter) -> None:
        for letter in letters:
            await self._send(letter)

    async def _send(self, letter: Letter) -> None:
        async with self._free:
            client = await self._client()
            try:
                await _hand_over(client, letter)
            except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError, OSError) as error:
                # Whether the server took it is not known; it is sent again, under the same Message-ID.
                client.close()
                raise MailAway(f"the mail server went away: {error}") from error
            except aiosmtplib.SMTPResponseException as error:
                client.close()
                said = f"{error.code} {error.message}"
                if isinstance(error, aiosmtplib.SMTPSenderRefused):
                    raise MailAway(f"the mail server takes nothing from {letter.sender}: {said}") from error
                if _is_of_all(error):
                    raise MailAway(f"the mail server is not available: {said}") from error
                raise MailRefused(said) from error
            except aiosmtplib.SMTPException as error:
                client.close()
                if isinstance(error, aiosmtplib.SMTPTimeoutError):
                    raise MailAway(f"the mail server does not answer: {error}") from error
                raise MailRefused(str(error)) from error
            except BaseException:
                client.close()
                raise
            self._idle.append((client, asyncio.get_running_loop().time()))

    async def close(self) -> None:
        while self._idle:
            client, _ = self._idle.pop()
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit()

    async def _client(self) -> aiosmtplib.SMTP:
        """A connection that is ready for the next e-mail. Raises MailAway."""
        while self._idle:
            client, since = self._idle.pop()
            if asyncio.get_running_loop().time() - since < _TRUSTED_IDLE_SECONDS and client.is_connected:
                return client
            try:
                await client.noop()
                return client
            except (aiosmtplib.SMTPException, OSError):
                client.close()
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls,
            timeout=_TIMEOUT_SECONDS,
            # A password never travels in the clear, unless the server is this machine.
            start_tls=start_tls(server),
        )
        try:
            await client.connect()
            if server.username:
                await client.login(server.username, server.password or "")
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise MailAway(f"the mail server {server.host}:{server.port} cannot be used: {error}") from error
        return client


def _is_of_all(error: aiosmtplib.SMTPResponseException) -> bool:
    """Whether any other e-mail would have met the same answer: the server ends, is full, or has no more for us now.

    421 and 452 are RFC 5321's (section 4.2.3); 454 is what large services say to who sends faster than they take; the
    subjects 3 (mail system) and 4 (network) of a passing failure are RFC 3463's. Said of a recipient, a network or a
    452 without a reason is that one's: a full mailbox, or a domain whose name servers are away. One such address must
    not keep all e-mails back (S22).
    """
    if error.code in (421, 454):
        return True
    of_recipient = isinstance(error, aiosmtplib.SMTPRecipientRefused)
    reason = _REASON.match(error.message)
    if reason is None:
        return error.code == 452 and not of_recipient
    return reason["subject"] in (("3",) if of_recipient else ("3", "4"))


async def _hand_over(client: aiosmtplib.SMTP, letter: Letter) -> None:
    """A line that is a dot, and the likes of it, are the protocol's to escape."""
    await client.mail(letter.sender)
    await client.rcpt(letter.recipient)
    await client.data(letter.content, timeout=_TAKING_SECONDS)


def start_tls(server: MailServer) -> bool | None:
    """True: insist. None: where the server offers it."""
    if server.tls:
        return False
    if server.username and server.host not in ("localhost", "127.0.0.1", "::1"):
        return True
    return None
