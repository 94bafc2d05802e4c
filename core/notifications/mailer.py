"""Where finished e-mails go: a mail server (`email_smtp`) or a folder (`email_files`)."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Protocol

from core.messaging.consumer import DependencyAway


class MailAway(DependencyAway):
    """The mail server cannot be used at the moment, whatever the e-mail: it is sent later, however long
    that is.
    """


class MailRefused(Exception):
    """This e-mail was refused (its recipient, its size); another one may well pass."""


class Mailer(Protocol):
    """`send` returns once somebody else is answerable for the e-mail: a server accepted it, or it is on disk.

    An e-mail carries a `Message-ID` made of its event's uid. Sending the same event's e-mail twice is
    possible only when the process died right after the first; the identical Message-ID lets mailboxes and
    people see that.
    """

    async def send(self, message: EmailMessage) -> None:
        """Raises MailAway or MailRefused."""
        ...

    async def close(self) -> None: ...
