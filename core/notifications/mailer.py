"""Where finished e-mails go: a mail server (`email_smtp`) or a folder (`email_files`)."""

from __future__ import annotations

from typing import Protocol

from core.messaging.consumer import DependencyAway
from core.notifications.letter import Letter


class MailAway(DependencyAway):
    """The mail server cannot be used at the moment, whatever the e-mail: it is sent later, however long
    that is.
    """


class MailRefused(Exception):
    """This e-mail was refused (its recipient, their domain or mailbox, its size), for now or for good; another one may
    well pass.
    """


class Mailer(Protocol):
    """`send` returns once somebody else is answerable for the e-mail: a server accepted it, or it is on disk.

    An e-mail carries a `Message-ID` made of its event's uid. Sending the same event's e-mail twice is
    possible only when the process died right after the first; the identical Message-ID lets mailboxes and
    people see that.
    """

    @property
    def at_once(self) -> int:
        """E-mails that are handed over together, at most: 1 where one that was taken cannot be taken back, so that a
        process which dies repeats no more than that.
        """
        ...

    async def send(self, *letters: Letter) -> None:
        """Raises MailAway or MailRefused; of several, some may have been handed over then."""
        ...

    async def close(self) -> None: ...
