"""E-mails as .eml files in a folder, for an installation without a mail server."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from email.message import EmailMessage
from pathlib import Path

from core.notifications.mailer import MailAway


class FileMailer:
    """`folder`/<event uid>.eml, complete or not there at all. The same e-mail again replaces the same
    file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage) -> None:
        try:
            await asyncio.to_thread(self._write, message)
        except OSError as error:
            raise MailAway(f"{self._folder} cannot be written: {error.strerror}") from error

    async def close(self) -> None:
        """Nothing is kept open."""

    def _write(self, message: EmailMessage) -> None:
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The left part of `<uid@domain>`; nothing in a header may choose another folder.
        name = re.sub(r"[^0-9A-Za-z-]", "_", str(message["Message-ID"]).strip("<>").partition("@")[0])
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(message.as_bytes())
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._folder / f"{name}.eml")
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
